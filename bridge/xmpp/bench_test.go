package xmpp

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"warren/bridge"
	"warren/rooms"
)

// BenchmarkFanout1000 shows one message to 1000 clients in a room: encoding and queueing, then writing to nowhere.
func BenchmarkFanout1000(b *testing.B) {
	x := newNetwork(b).node("n1", nil, "alice")
	i := x.irc("alice", "alice")
	seat := i.join("lobby")
	var wg sync.WaitGroup
	conns := make([]*conn, 1000)
	for k := range conns {
		ours, theirs := net.Pipe()
		wg.Go(func() { _, _ = io.Copy(io.Discard, ours) })
		c := newConn(x.srv, theirs)
		c.full = fmt.Sprintf("user%d@localhost/resource", k)
		c.to = appendAttr(nil, "to", c.full)
		c.seats[seat] = &occupancy{seat: seat, jid: lobby, id: seat.Room().ID()}
		c.startWriting()
		conns[k] = c
	}
	b.Cleanup(func() {
		for _, c := range conns {
			c.out.finish(nil, true)
			c.cancel()
			_ = c.nc.Close()
			c.work.Wait()
		}
		wg.Wait()
	})
	ev := &rooms.Event{
		Room: seat.Room().ID(), Seq: 1, Op: rooms.OpSay, Nick: "alice", Account: "alice",
		Body: &rooms.Say{Text: "a message of the usual length, as people write them", Ref: "7d8c", Ext: []byte("<origin-id xmlns='urn:xmpp:sid:0' id='7d8c'/>")},
	}
	b.ReportAllocs()
	for b.Loop() {
		shared := &bridge.Shared{}
		for _, c := range conns {
			c.Deliver(bridge.Delivery{Kind: bridge.RoomEvent, Seat: seat, Event: ev, Shared: shared})
		}
		for _, c := range conns {
			c.out.wait(nil)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "deliveries/s")
}

// BenchmarkReadStanza reads a groupchat message of some 300 bytes.
func BenchmarkReadStanza(b *testing.B) {
	msg := "<message type='groupchat' to='lobby@rooms.localhost' id='7d8c'><body>a message of the usual length, as people write them</body>" +
		"<origin-id xmlns='urn:xmpp:sid:0' id='7d8c'/><active xmlns='http://jabber.org/protocol/chatstates'/><markable xmlns='urn:xmpp:chat-markers:0'/></message>"
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write([]byte(header))
		for {
			if _, err := w.Write([]byte(msg)); err != nil {
				return
			}
		}
	}()
	defer r.Close()
	rd := newReader(r, 64<<10)
	if _, err := rd.header(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rd.next(); err != nil {
			b.Fatal(err)
		}
	}
}
