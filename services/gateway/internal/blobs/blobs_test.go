package blobs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

type rig struct {
	key     ed25519.PrivateKey
	root    string
	handler *Handler
}

func newRig(t *testing.T) *rig {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, folder := range []string{"objects", "checksums", "writing"} {
		if err := os.Mkdir(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &rig{key: private, root: root, handler: New(public, root)}
}

func (r *rig) sign(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	if _, set := claims["exp"]; !set {
		claims["exp"] = time.Now().Add(time.Minute).Unix()
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims).SignedString(r.key)
	if err != nil {
		t.Fatal(err)
	}
	return Path + "?ticket=" + text
}

func (r *rig) call(method, target string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, target, body)
	for index := 0; index < len(headers); index += 2 {
		request.Header.Set(headers[index], headers[index+1])
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	return answer
}

func reasonOf(t *testing.T, answer *httptest.ResponseRecorder) string {
	t.Helper()
	var document struct{ Details []struct{ Reason string } }
	if err := json.Unmarshal(answer.Body.Bytes(), &document); err != nil || len(document.Details) == 0 {
		t.Fatalf("no typed error in %q", answer.Body.String())
	}
	return document.Details[0].Reason
}

func TestWhatIsPutCanBeFetchedWithItsChecksumBesideIt(t *testing.T) {
	r := newRig(t)
	content := bytes.Repeat([]byte("motion"), 300_000)
	answer := r.call(http.MethodPut, r.sign(t, jwt.MapClaims{"act": "put", "key": "projects/p/uploads/u/parts/00001", "len": len(content)}), bytes.NewReader(content))
	if answer.Code != http.StatusOK {
		t.Fatalf("put answered %d: %s", answer.Code, answer.Body)
	}
	digest := sha256.Sum256(content)
	written, err := os.ReadFile(filepath.Join(r.root, "checksums/projects/p/uploads/u/parts/00001"))
	if err != nil || string(written) != hex.EncodeToString(digest[:]) {
		t.Fatalf("checksum %q, %v", written, err)
	}
	get := r.sign(t, jwt.MapClaims{"act": "get", "key": "projects/p/uploads/u/parts/00001", "len": len(content), "sha": hex.EncodeToString(digest[:]), "typ": "video/mp4", "nam": `a "b".mp4`})
	if answer := r.call(http.MethodGet, get, nil); answer.Code != http.StatusOK || !bytes.Equal(answer.Body.Bytes(), content) {
		t.Fatalf("get answered %d with %d bytes", answer.Code, answer.Body.Len())
	}
	part := r.call(http.MethodGet, get, nil, "Range", "bytes=6-11")
	if part.Code != http.StatusPartialContent || part.Body.String() != "motion" {
		t.Fatalf("range answered %d %q", part.Code, part.Body)
	}
	if same := r.call(http.MethodGet, get, nil, "If-None-Match", `"`+hex.EncodeToString(digest[:])+`"`); same.Code != http.StatusNotModified {
		t.Fatalf("a known ETag answered %d", same.Code)
	}
}

func TestTicketsThatDoNotHoldAreRefused(t *testing.T) {
	r, other := newRig(t), newRig(t)
	claims := func() jwt.MapClaims { return jwt.MapClaims{"act": "put", "key": "a/b", "len": 1} }
	expired := claims()
	expired["exp"] = time.Now().Add(-time.Minute).Unix()
	outside := claims()
	outside["key"] = "../../etc/passwd"
	hidden := claims()
	hidden["key"] = "a/../b"
	unsigned := Path + "?ticket=" + strings.Join(strings.Split(r.sign(t, claims()), ".")[:2], ".") + "."
	for name, target := range map[string]string{
		"expired": r.sign(t, expired), "of another key": other.sign(t, claims()), "without a signature": unsigned,
		"to outside the store": r.sign(t, outside), "with a step up": r.sign(t, hidden), "missing": Path, "broken": Path + "?ticket=x.y.z",
	} {
		answer := r.call(http.MethodPut, target, strings.NewReader("x"))
		if answer.Code != http.StatusForbidden || reasonOf(t, answer) != "INVALID_TICKET" {
			t.Errorf("a ticket %s answered %d %s", name, answer.Code, answer.Body)
		}
	}
}

func TestATicketIsForOneActionAndOneSize(t *testing.T) {
	r := newRig(t)
	put := r.sign(t, jwt.MapClaims{"act": "put", "key": "a/b", "len": 4})
	if answer := r.call(http.MethodGet, put, nil); answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("a ticket to put was used to get: %d", answer.Code)
	}
	for name, body := range map[string]io.Reader{
		"shorter": strings.NewReader("abc"), "longer": strings.NewReader("abcde"),
		"shorter, of no known length": io.MultiReader(strings.NewReader("abc")), "longer, of no known length": io.MultiReader(strings.NewReader("abcdefgh")),
	} {
		answer := r.call(http.MethodPut, put, body)
		if answer.Code < http.StatusBadRequest || answer.Code >= http.StatusInternalServerError {
			t.Errorf("a body that is %s answered %d %s", name, answer.Code, answer.Body)
		}
	}
	if _, err := os.Stat(filepath.Join(r.root, "objects/a/b")); !os.IsNotExist(err) {
		t.Error("a body of the wrong size was kept")
	}
	if left, _ := os.ReadDir(filepath.Join(r.root, "writing")); len(left) != 0 {
		t.Errorf("%d unfinished files were left", len(left))
	}
}

func TestAFileThatIsGoneIsNotFoundAndNotCached(t *testing.T) {
	r := newRig(t)
	answer := r.call(http.MethodGet, r.sign(t, jwt.MapClaims{"act": "get", "key": "a/b", "typ": "text/html", "nam": "x"}), nil)
	if answer.Code != http.StatusNotFound || reasonOf(t, answer) != "OBJECT_NOT_FOUND" || strings.Contains(answer.Header().Get("Cache-Control"), "immutable") {
		t.Fatalf("%d %v %s", answer.Code, answer.Header(), answer.Body)
	}
}

func TestAStoredPageCannotActForItsReader(t *testing.T) {
	r := newRig(t)
	if err := os.WriteFile(filepath.Join(r.root, "objects/page"), []byte("<script>1</script>"), 0o644); err != nil {
		t.Fatal(err)
	}
	answer := r.call(http.MethodGet, r.sign(t, jwt.MapClaims{"act": "get", "key": "page", "typ": "text/html", "nam": "page.html"}), nil)
	if policy := answer.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox") || strings.Contains(policy, "allow-same-origin") {
		t.Fatalf("policy %q", policy)
	}
}

func TestBytesGoThroughToAPresignedAddress(t *testing.T) {
	r := newRig(t)
	var stored []byte
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodPut {
			if request.ContentLength != 5 {
				t.Errorf("the store was told %d bytes", request.ContentLength)
			}
			stored, _ = io.ReadAll(request.Body)
			return
		}
		http.ServeContent(w, request, "", time.Time{}, bytes.NewReader(stored))
	}))
	defer store.Close()
	if answer := r.call(http.MethodPut, r.sign(t, jwt.MapClaims{"act": "put", "url": store.URL + "/x", "len": 5}), strings.NewReader("hello")); answer.Code != http.StatusOK {
		t.Fatalf("put answered %d %s", answer.Code, answer.Body)
	}
	get := r.sign(t, jwt.MapClaims{"act": "get", "url": store.URL + "/x", "typ": "text/plain", "nam": "x.txt"})
	if answer := r.call(http.MethodGet, get, nil, "Range", "bytes=1-2"); answer.Code != http.StatusPartialContent || answer.Body.String() != "el" {
		t.Fatalf("get answered %d %q", answer.Code, answer.Body)
	}
	store.Close()
	if answer := r.call(http.MethodGet, get, nil); answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
		t.Fatalf("a store that is away answered %d", answer.Code)
	}
}
