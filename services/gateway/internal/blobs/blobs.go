// Package blobs carries bytes in and out for whoever holds a ticket that the library signed. It holds no keys of the store: a ticket names an object below a
// shared folder, or carries a presigned address.
package blobs

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/codes"

	"praxiscope/gateway/internal/status"
)

// Path is where tickets are carried out.
const Path = "/v1/blobs"

const (
	copyBytes  = 1 << 20
	storePause = 30 * time.Second
	// What a stored page may do when a browser opens it: run its own script and nothing else; it cannot call us as the reader.
	pagePolicy = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
)

var keyPattern = regexp.MustCompile(`^[a-zA-Z0-9_-][a-zA-Z0-9_.-]*(/[a-zA-Z0-9_-][a-zA-Z0-9_.-]*)*$`)

// ticket is what the library signed (services/library, adapters/tickets.py).
type ticket struct {
	jwt.RegisteredClaims
	Action      string `json:"act"`
	Key         string `json:"key"`
	URL         string `json:"url"`
	SizeBytes   int64  `json:"len"`
	SHA256      string `json:"sha"`
	ContentType string `json:"typ"`
	FileName    string `json:"nam"`
	Attachment  bool   `json:"att"`
}

// Handler carries out tickets.
type Handler struct {
	key    ed25519.PublicKey
	root   string
	client *http.Client
}

// New returns a handler that checks tickets with key; root is the folder of a file system store.
func New(key ed25519.PublicKey, root string) *Handler {
	return &Handler{key: key, root: root, client: &http.Client{Timeout: 0}}
}

// ServeHTTP puts or gets one object.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	signed, err := h.check(r.URL.Query().Get("ticket"))
	if err != nil {
		status.Write(w, err)
		return
	}
	switch {
	case r.Method == http.MethodPut && signed.Action == "put":
		err = h.put(w, r, signed)
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && signed.Action == "get":
		err = h.get(w, r, signed)
	default:
		err = status.New(codes.Unimplemented, "METHOD_NOT_ALLOWED", "The ticket is not for this.")
	}
	if err != nil {
		status.Write(w, err)
	}
}

func (h *Handler) check(text string) (*ticket, error) {
	var signed ticket
	_, err := jwt.ParseWithClaims(text, &signed, func(*jwt.Token) (any, error) { return h.key, nil },
		jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithExpirationRequired())
	if err != nil || (signed.URL == "" && (h.root == "" || !keyPattern.MatchString(signed.Key))) {
		return nil, status.New(codes.PermissionDenied, "INVALID_TICKET", "The ticket does not hold, or has ended; ask for a new one.")
	}
	return &signed, nil
}

func (h *Handler) put(w http.ResponseWriter, r *http.Request, signed *ticket) error {
	if r.ContentLength >= 0 && r.ContentLength != signed.SizeBytes {
		return wrongSize(signed.SizeBytes, r.ContentLength)
	}
	// One byte more than allowed is asked for, so that a body without a length cannot grow unseen.
	body := &countingReader{reader: http.MaxBytesReader(w, r.Body, signed.SizeBytes+1), digest: sha256.New()}
	var err error
	if signed.URL != "" {
		err = h.putPresigned(r, signed, body)
	} else {
		err = h.putFile(signed, body)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"sizeBytes": strconv.FormatInt(body.count, 10), "sha256": body.sum()})
}

// putFile follows the rule of praxiscope_common.storage.filesystem: write aside, sync, write the checksum, rename.
func (h *Handler) putFile(signed *ticket, body *countingReader) error {
	aside := filepath.Join(h.root, "writing", rand.Text())
	defer os.Remove(aside) //nolint:errcheck  it is gone where all went well
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return storeError(err)
	}
	buffer := make([]byte, copyBytes)
	_, copyErr := io.CopyBuffer(struct{ io.Writer }{file}, body, buffer)
	if copyErr == nil {
		copyErr = file.Sync()
	}
	if err := errors.Join(copyErr, file.Close()); err != nil {
		if body.err != nil {
			return broken(body.err)
		}
		return storeError(err)
	}
	if body.count != signed.SizeBytes {
		return wrongSize(signed.SizeBytes, body.count)
	}
	target, checksum := filepath.Join(h.root, "objects", signed.Key), filepath.Join(h.root, "checksums", signed.Key)
	for _, folder := range []string{filepath.Dir(target), filepath.Dir(checksum)} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return storeError(err)
		}
	}
	// Replaced whole: a disk that is full, or a death in the middle, leaves the checksum of the object before as it was.
	written := aside + ".sha256"
	defer os.Remove(written) //nolint:errcheck  it is gone where all went well
	if err := os.WriteFile(written, []byte(body.sum()), 0o644); err != nil {
		return storeError(err)
	}
	if err := os.Rename(written, checksum); err != nil {
		return storeError(err)
	}
	if err := os.Rename(aside, target); err != nil {
		return storeError(err)
	}
	return nil
}

func (h *Handler) putPresigned(r *http.Request, signed *ticket, body *countingReader) error {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPut, signed.URL, io.NopCloser(body))
	if err != nil {
		return storeError(err)
	}
	request.ContentLength = signed.SizeBytes
	answer, err := h.client.Do(request)
	if err != nil {
		if body.err != nil {
			return broken(body.err)
		}
		return storeError(err)
	}
	defer answer.Body.Close() //nolint:errcheck  nothing is left to read
	if answer.StatusCode >= http.StatusMultipleChoices {
		return storeError(fmt.Errorf("the store answered %d", answer.StatusCode))
	}
	if body.count != signed.SizeBytes {
		return wrongSize(signed.SizeBytes, body.count)
	}
	return nil
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, signed *ticket) error {
	header := w.Header()
	header.Set("Content-Type", signed.ContentType)
	disposition := "inline"
	if signed.Attachment {
		disposition = "attachment"
	}
	header.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": signed.FileName}))
	header.Set("Content-Security-Policy", pagePolicy)
	header.Set("Cache-Control", "private, max-age=300, immutable")
	header.Set("ETag", `"`+signed.SHA256+`"`)
	if signed.URL != "" {
		return h.getPresigned(w, r, signed)
	}
	file, err := os.Open(filepath.Join(h.root, "objects", signed.Key))
	if errors.Is(err, os.ErrNotExist) {
		clearContent(header)
		return status.New(codes.NotFound, "OBJECT_NOT_FOUND", "The file is no longer there.")
	}
	if err != nil {
		clearContent(header)
		return storeError(err)
	}
	defer file.Close() //nolint:errcheck  it was only read
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}

func (h *Handler) getPresigned(w http.ResponseWriter, r *http.Request, signed *ticket) error {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, signed.URL, nil)
	if err != nil {
		return storeError(err)
	}
	if wanted := r.Header.Get("Range"); wanted != "" {
		request.Header.Set("Range", wanted)
	}
	answer, err := h.client.Do(request)
	if err != nil {
		clearContent(w.Header())
		return storeError(err)
	}
	defer answer.Body.Close() //nolint:errcheck  what was not copied nobody wants
	switch answer.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable:
	case http.StatusNotFound:
		clearContent(w.Header())
		return status.New(codes.NotFound, "OBJECT_NOT_FOUND", "The file is no longer there.")
	default:
		clearContent(w.Header())
		return storeError(fmt.Errorf("the store answered %d", answer.StatusCode))
	}
	for _, name := range []string{"Content-Length", "Content-Range", "Accept-Ranges"} {
		if value := answer.Header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	w.WriteHeader(answer.StatusCode)
	if r.Method != http.MethodHead {
		_, _ = io.CopyBuffer(w, answer.Body, make([]byte, copyBytes)) // the reader sees a body that is too short
	}
	return nil
}

type countingReader struct {
	reader io.Reader
	digest interface {
		io.Writer
		Sum([]byte) []byte
	}
	count int64
	err   error
}

func (c *countingReader) Read(into []byte) (int, error) {
	count, err := c.reader.Read(into)
	c.count += int64(count)
	_, _ = c.digest.Write(into[:count])
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return count, err
}

func (c *countingReader) sum() string { return hex.EncodeToString(c.digest.Sum(nil)) }

func clearContent(header http.Header) {
	for _, name := range []string{"Content-Disposition", "Content-Security-Policy", "Cache-Control", "ETag"} {
		header.Del(name)
	}
}

func wrongSize(wanted, given int64) error {
	return status.New(codes.InvalidArgument, "PART_SIZE_MISMATCH", fmt.Sprintf("The part has %d bytes; %d were sent.", wanted, given))
}

func broken(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return status.New(codes.InvalidArgument, "BODY_TOO_LARGE", "More bytes were sent than the part has.")
	}
	return status.New(codes.Aborted, "UPLOAD_BROKEN_OFF", "The connection broke; put the part again.")
}

func storeError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return status.RetryLater(codes.Unavailable, "STORE_FULL", "The object store has no room left; free some, then try again.", storePause)
	}
	return status.RetryLater(codes.Unavailable, "STORE_UNAVAILABLE", "The object store does not answer at the moment; try again.", time.Second)
}
