package xmpp

import (
	"net"
	"testing"
)

// A server that is closed before it serves is closed in good order, whoever closes the listener.
func TestServeAfterClose(t *testing.T) {
	x := newNetwork(t).node("n1", nil)
	if err := x.srv.Close(); err != nil {
		t.Fatal(err)
	}
	for _, closed := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if closed {
			_ = l.Close()
		}
		if err := x.srv.Serve(l, false); err != nil {
			t.Errorf("listener closed before: %v: %v", closed, err)
		}
		if _, err := l.Accept(); err == nil {
			t.Error("the listener is open")
		}
	}
}
