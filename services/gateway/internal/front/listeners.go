package front

import (
	"fmt"
	"net"
	"sync"
)

// joined is one listener out of several: a mesh needs a port of its own for native gRPC, since it speaks one protocol to each port, while the
// gateway itself tells them apart by how they begin.
type joined struct {
	listeners []net.Listener
	accepted  chan accepted
	closed    chan struct{}
	once      sync.Once
	err       error
}

type accepted struct {
	conn net.Conn
	err  error
}

// listenAll binds every address that is not empty; the first is the one that Addr tells.
func listenAll(addresses ...string) (net.Listener, error) {
	made := &joined{accepted: make(chan accepted), closed: make(chan struct{})}
	for _, address := range addresses {
		if address == "" {
			continue
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			_ = made.Close()
			return nil, fmt.Errorf("%s cannot be bound; is the port taken? %w", address, err)
		}
		made.listeners = append(made.listeners, listener)
	}
	if len(made.listeners) == 1 {
		return made.listeners[0], nil
	}
	for _, listener := range made.listeners {
		go made.accept(listener)
	}
	return made, nil
}

func (j *joined) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		select {
		case j.accepted <- accepted{conn, err}:
		case <-j.closed:
			if conn != nil {
				_ = conn.Close()
			}
			return
		}
	}
}

// Accept returns the next connection of any of them.
func (j *joined) Accept() (net.Conn, error) {
	select {
	case next := <-j.accepted:
		return next.conn, next.err
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

// Close closes all of them.
func (j *joined) Close() error {
	j.once.Do(func() {
		for _, listener := range j.listeners {
			if err := listener.Close(); err != nil {
				j.err = err
			}
		}
		close(j.closed)
	})
	return j.err
}

// Addr returns where the first listens.
func (j *joined) Addr() net.Addr { return j.listeners[0].Addr() }
