package front

import (
	"net/http"
	"regexp"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"praxiscope/gateway/internal/blobs"
	"praxiscope/gateway/internal/session"
)

// other stands in metrics for whatever is not ours: whoever calls must not be able to make a new time series with each call.
const other = "other"

var templateVariable = regexp.MustCompile(`\{[^=}]+(?:=([^}]+))?\}`)

// endpoints are all paths of the contracts with `*` for what names a resource, and the words that stand in them.
var endpoints = sync.OnceValue(func() (known struct{ paths, words map[string]bool }) {
	known.paths, known.words = map[string]bool{}, map[string]bool{}
	add := func(path string) {
		known.paths[path] = true
		for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
			name, _, _ := strings.Cut(part, ":")
			known.words[name] = true
		}
	}
	for _, path := range []string{"/", blobs.Path, "/docs", "/openapi.json", "/healthz", "/readyz", session.Path, session.Path + "/renew", session.Path + "/end"} {
		add(path)
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				for _, template := range templatesOf(methods.Get(j)) {
					add(templateVariable.ReplaceAllStringFunc(template, func(variable string) string {
						if segments := templateVariable.FindStringSubmatch(variable)[1]; segments != "" {
							return segments
						}
						return "*"
					}))
				}
			}
		}
		return true
	})
	return known
})

// endpointOf returns a path without what names a resource, so that a metric has few labels.
func endpointOf(path string) string {
	known := endpoints()
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for index, part := range parts {
		name, verb, hasVerb := strings.Cut(part, ":")
		if !known.words[name] {
			name = "*"
		}
		if hasVerb {
			name += ":" + verb
		}
		parts[index] = name
	}
	if found := "/" + strings.Join(parts, "/"); known.paths[found] {
		return found
	}
	return other
}

// methodOf returns an HTTP method, which may be any word, as one of a few.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return other
}

func templatesOf(method protoreflect.MethodDescriptor) []string {
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	var found []string
	for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		for _, template := range []string{binding.GetGet(), binding.GetPost(), binding.GetPut(), binding.GetPatch(), binding.GetDelete()} {
			if template != "" {
				found = append(found, template)
			}
		}
	}
	return found
}
