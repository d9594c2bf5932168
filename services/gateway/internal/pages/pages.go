// Package pages serves the console: its files, and its one document for every address that a person opens.
package pages

import (
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

const (
	document = "index.html"
	// Files below have a hash of their bytes in their names.
	hashedFolder = "static/"
	// Scripts and styles from here alone. WebAssembly and workers from blobs are what the viewer of worlds unpacks and sorts with; it has both inside its script.
	policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; " +
		"connect-src 'self' blob: data:; worker-src 'self' blob:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	forever = "public, max-age=31536000, immutable"
)

// Handler serves the files of a folder.
type Handler struct {
	files   fs.FS
	missing http.Handler
}

// New returns a handler of the folder's files; missing answers what is neither a file nor an address of a page.
func New(folder fs.FS, missing http.Handler) *Handler {
	return &Handler{files: folder, missing: missing}
}

// ServeHTTP serves one file, or the document where a person navigates.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.missing.ServeHTTP(w, r)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	switch {
	case name != "" && name != document && h.isFile(name):
		if strings.HasPrefix(name, hashedFolder) {
			w.Header().Set("Cache-Control", forever)
			name = h.compressed(w, r, name)
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		h.serve(w, r, name)
	case name == "" || isNavigation(r) && path.Ext(name) == "":
		w.Header().Set("Cache-Control", "no-cache")
		h.serve(w, r, document)
	default:
		h.missing.ServeHTTP(w, r)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, name string) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
	http.ServeFileFS(w, r, h.files, name)
}

// compressed returns the file that the build compressed, where there is one and the browser takes it: the viewer's script is large, and compressing it
// anew for everybody would take longer than sending it.
func (h *Handler) compressed(w http.ResponseWriter, r *http.Request, name string) string {
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" || !h.isFile(name+".gz") {
		return name
	}
	w.Header().Add("Vary", "Accept-Encoding")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") || r.Header.Get("Range") != "" {
		return name
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Encoding", "gzip")
	return name + ".gz"
}

func (h *Handler) isFile(name string) bool {
	if !fs.ValidPath(name) {
		return false
	}
	found, err := fs.Stat(h.files, name)
	return err == nil && found.Mode().IsRegular()
}

// isNavigation tells a person who opens an address from a program that asks for something which is not there.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
