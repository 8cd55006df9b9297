package main

import (
	"log/slog"
	"net"
	"testing"
)

func TestTheCrowdIsBoundedAndMakesRoom(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &views{irc: []net.Listener{l}}
	defer v.close()
	v.limit(1, slog.New(slog.DiscardHandler))
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := v.irc[0].Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	dial()
	first := <-accepted
	if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the second of one was let in")
	}
	_ = first.Close()
	_ = first.Close() // counts once
	dial()
	_ = (<-accepted).Close()
}
