package replica

import (
	"bytes"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"warren/rooms"
)

// samples returns a well-formed frame of each kind, for the fuzzer to spoil.
func samples(room rooms.RoomID) []frame {
	req := rooms.NewRequest(room, "", "eve", &rooms.Say{Text: "hi"})
	req.Counter = 1
	req.Sign(key("n5"))
	gone := &rooms.NodeGone{Node: node("n3")}
	change := &rooms.Reconfigure{Controllers: []rooms.NodeID{node("n5")}}
	dec := rooms.Decision{Header: rooms.Header{Room: room, Epoch: 1, Height: 1 << 40}, Batch: rooms.Batch{Requests: []rooms.Request{req}}}
	return []frame{
		{Kind: frameOrder, Data: []byte{0x81, 1}},
		{Kind: frameSubmit, Data: rooms.Marshal(&req)},
		{Kind: frameAnswer, Data: rooms.Marshal(answer{Leader: node("n5")})},
		{Kind: framePush, Data: rooms.Marshal(&dec)},
		{Kind: frameSubscribe, Data: rooms.Marshal(subscribe{For: reader{Nick: "eve"}})},
		{Kind: frameHead, Data: rooms.Marshal(head{Height: 1 << 40, Leader: node("n5"), Sure: true, Nonce: 1})},
		{Kind: frameAskHead, Data: rooms.Marshal(askHead{Nonce: 1})},
		{Kind: frameRecruit},
		{Kind: frameConsent, Data: rooms.Marshal(consent{C: rooms.MakeConsent(room, 0, 1, key("n5"))})},
		{Kind: frameAsk, Data: rooms.Marshal(ask{Kind: rooms.KindNodeGone, Body: rooms.Marshal(gone)})},
		{Kind: frameAsk, Data: rooms.Marshal(ask{Kind: rooms.KindReconfigure, Body: rooms.Marshal(change)})},
		{Kind: frameEndorse, Data: rooms.Marshal(endorse{Kind: rooms.KindNodeGone, Thing: gone.Thing(),
			E: rooms.Endorse(room, rooms.KindNodeGone, gone.Thing(), 0, key("n5"))})},
		{Kind: frameSignal, Data: []byte("signal")},
		{Kind: 255, Data: []byte{0xa0}},
	}
}

// What is around all that travels is encoded by hand: it must be what the library would have written, and take what it takes.
func FuzzFrameByHand(f *testing.F) {
	for _, fr := range samples(rooms.Hash{1}) {
		f.Add(rooms.Marshal(&fr))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want frame
		err := rooms.Unmarshal(data, &want)
		switch got, ok := decodeFrame(data); {
		case ok != (err == nil):
			t.Fatalf("by hand: %v, by the library: %v", ok, err)
		case ok && !reflect.DeepEqual(got, want):
			t.Fatalf("by hand %+v, by the library %+v", got, want)
		case ok && !bytes.Equal(encodeFrame(got.Room, got.Kind, got.Data), data):
			t.Fatal("encoded by hand it is something else")
		}
	})
}

// FuzzFrame throws frames at every copy of a living room, in the name of a member and of one of its controllers: it goes on ordering.
func FuzzFrame(f *testing.F) {
	for i := range samples(rooms.RoomID{}) {
		f.Add(uint8(i), uint16(0), uint8(0), true, []byte(nil))
		f.Add(uint8(i), uint16(3), uint8(0x80), false, []byte{0xff, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint16, flip uint8, insider bool, tail []byte) {
		synctest.Test(t, func(t *testing.T) {
			w, id := newWorld(t).four("lobby")
			w.join("n5", id)
			r := w.open("n5", id, "bob")
			list := samples(id)
			fr := list[int(which)%len(list)]
			if len(fr.Data) > 0 {
				fr.Data[int(at)%len(fr.Data)] ^= flip
			}
			fr.Data = append(fr.Data, tail...)
			from := node("n6") // nobody
			if insider {
				from = r.Status().Controllers[int(at)%4]
			}
			for range 50 {
				for _, room := range []rooms.RoomID{id, w.genesis.Directory()} {
					fr.Room = room
					for _, h := range w.hosts {
						if h.Self() != from {
							h.Frame(from, rooms.Marshal(fr))
							h.Frame(from, tail)
						}
					}
				}
				time.Sleep(20 * time.Millisecond)
			}
			for _, h := range w.hosts {
				for _, c := range h.Replicas() {
					bad := false
					c.wait(func() { bad = len(c.syncs) > 2 || len(c.held) > maxHeldBack || len(c.subs) > 5 || c.broken != nil })
					if bad {
						t.Errorf("a copy was filled or broken by %d of kind %d", which, fr.Kind)
					}
				}
			}
			w.do(r, "", "bob", &rooms.Enter{}, &rooms.Say{Text: "still here"})
		})
	})
}
