package config

import (
	"strings"
	"testing"
)

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	given := map[string]string{prefix + "TRUSTED_PROXIES": "nonsense", prefix + "RATE_READ_BURST": "many", prefix + "TICKET_PUBLIC_KEY_FILE": "/nowhere",
		prefix + "CONSOLE_ROOT": "/nowhere"}
	_, err := Read(func(name string) (string, bool) { value, found := given[name]; return value, found })
	if err == nil {
		t.Fatal("nothing was wrong")
	}
	for _, expected := range []string{"ADDRESS is not set", "LIBRARY_ADDRESS is not set", "TRUSTED_PROXIES cannot be read", "RATE_READ_BURST cannot be read", "TICKET_PUBLIC_KEY_FILE cannot be read",
		"CONSOLE_ROOT cannot be read"} {
		if !strings.Contains(err.Error(), expected) {
			t.Errorf("%q is not in:\n%v", expected, err)
		}
	}
}
