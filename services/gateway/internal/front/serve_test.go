package front

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"praxiscope/gateway/internal/config"
)

// Whoever got a connection before the end gets an answer; whoever comes later is refused at the door.
func TestNoCallIsLostWhenTheGatewayEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(300 * time.Millisecond)
		_, _ = w.Write([]byte("answered"))
	})
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, &config.Settings{Grace: 5 * time.Second}, listener, handler, grpc.NewServer())
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	stop := make(chan struct{})
	var callers sync.WaitGroup
	var lock sync.Mutex
	answered, refused := 0, 0
	for range 8 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				answer, err := client.Get("http://" + listener.Addr().String())
				body := ""
				if err == nil {
					read, _ := io.ReadAll(answer.Body)
					_ = answer.Body.Close()
					body = string(read)
				}
				lock.Lock()
				switch {
				case err == nil && body == "answered":
					answered++
				case errors.Is(err, syscall.ECONNREFUSED):
					refused++
				default:
					t.Errorf("a call was lost: %v %q", err, body)
				}
				lock.Unlock()
				if err != nil {
					time.Sleep(20 * time.Millisecond)
				}
			}
		}()
	}
	time.Sleep(500 * time.Millisecond)
	end()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	time.Sleep(100 * time.Millisecond)
	close(stop)
	callers.Wait()
	if answered < 8 || refused == 0 {
		t.Errorf("%d answered, %d refused", answered, refused)
	}
}
