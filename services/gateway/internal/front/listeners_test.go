package front

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

func TestConnectionsOfEveryAddressAreTaken(t *testing.T) {
	listener, err := listenAll("127.0.0.1:0", "", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	both := listener.(*joined)
	for _, own := range both.listeners {
		conn, err := net.Dial("tcp", own.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		taken, err := listener.Accept()
		if err != nil || taken.RemoteAddr().String() != conn.LocalAddr().String() {
			t.Fatalf("%s: %v, %v", own.Addr(), taken, err)
		}
		_, _ = taken.Close(), conn.Close()
	}
}

func TestAClosedListenerTakesNothingAndSaysSo(t *testing.T) {
	listener, err := listenAll("127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{listener.Addr().String(), listener.(*joined).listeners[1].Addr().String()}
	waiting := make(chan error, 1)
	go func() { _, err := listener.Accept(); waiting <- err }()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-waiting:
		if !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Accept waits for ever")
	}
	for _, address := range addresses {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			t.Errorf("%s still takes connections", address)
		}
	}
}

func TestAPortThatIsTakenIsNamedAndTheOthersAreGivenBack(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	if _, err := listenAll("127.0.0.1:0", taken.Addr().String()); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Fatal(err)
	}
}
