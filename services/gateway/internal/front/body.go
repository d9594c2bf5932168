package front

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// A body may take this long, and a second more for every so many bytes that have come: a phone in a train is faster.
	bodyGrace         = 30 * time.Second
	bodyBytesPerExtra = 4 << 10
)

// timedBody ends a body that comes so slowly that it only serves to hold a connection.
type timedBody struct {
	io.ReadCloser
	controller *http.ResponseController
	started    time.Time
	count      int64
	grace      time.Duration
}

// newTimedBody begins the body's time. It begins also where nobody will read the body: the server reads on after an answer, to use the connection again.
func newTimedBody(w http.ResponseWriter, body io.ReadCloser, grace time.Duration) *timedBody {
	made := &timedBody{ReadCloser: body, controller: http.NewResponseController(w), started: time.Now(), grace: grace}
	made.extend()
	return made
}

// Read reads what has come, by when it must.
func (b *timedBody) Read(into []byte) (int, error) {
	b.extend()
	count, err := b.ReadCloser.Read(into)
	b.count += int64(count)
	if errors.Is(err, io.EOF) { // the answer may take as long as it takes
		_ = b.controller.SetReadDeadline(time.Time{})
	}
	return count, err
}

func (b *timedBody) extend() {
	_ = b.controller.SetReadDeadline(b.started.Add(b.grace + time.Duration(b.count/bodyBytesPerExtra)*time.Second))
}
