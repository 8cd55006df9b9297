package overlay

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFramesReadWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type frame struct {
			kind byte
			data []byte
		}
		var want []frame
		var wire []byte
		for range rapid.IntRange(0, 10).Draw(t, "frames") {
			f := frame{kind: rapid.SampledFrom([]byte{kindApp, kindPeers, 77}).Draw(t, "kind")}
			f.data = bytes.Repeat([]byte{3}, rapid.IntRange(0, maxPeersFrame).Draw(t, "length"))
			want = append(want, f)
			wire = append(appendHeader(wire, f.kind, len(f.data)), f.data...)
		}
		fr := newFrameReader(bytes.NewReader(wire))
		for _, f := range want {
			kind, data, err := fr.next()
			if err != nil || kind != f.kind || !bytes.Equal(data, f.data) {
				t.Fatalf("got kind %d, %d bytes, %v; want kind %d, %d bytes", kind, len(data), err, f.kind, len(f.data))
			}
		}
		if _, _, err := fr.next(); err != io.EOF {
			t.Fatalf("got %v, want io.EOF", err)
		}
	})
}

func TestFrameReaderRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"a frame over the limit":    {[]byte{kindApp, 0x10, 0, 1}, errFrame},
		"a hello over its limit":    {[]byte{kindHello, 0, 0, maxControl + 1}, errFrame},
		"an unknown kind, too long": {[]byte{99, 1, 0, 1}, errFrame},
		"half a header":             {[]byte{kindApp, 0}, io.ErrUnexpectedEOF},
		"half a payload":            {[]byte{kindApp, 0, 0, 2, 1}, io.ErrUnexpectedEOF},
		"no payload at all":         {[]byte{kindApp, 0x10, 0, 0}, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := newFrameReader(bytes.NewReader(c.in)).next(); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// A peer that claims a lot and sends little must not make us allocate a lot.
func TestClaimedLengthIsNotBelieved(t *testing.T) {
	in := make([]byte, 1000)
	n := testing.AllocsPerRun(1, func() { _, _ = readN(bytes.NewReader(in), MaxResponse) })
	if n > 4 {
		t.Errorf("%v allocations", n)
	}
	if b, err := readN(bytes.NewReader(make([]byte, 300<<10)), 300<<10); err != nil || len(b) != 300<<10 {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
}

func TestHelloAndHeartbeatRoundTrip(t *testing.T) {
	h := hello{incarnation: 1 << 63, heartbeat: 250 * time.Millisecond}
	if got, err := decodeHello(append(h.encode(), 1)); err != nil || got != h {
		t.Errorf("got %+v, %v", got, err)
	}
	h.known, h.paces = 300, true
	if got, err := decodeHello(append(h.encode(), 1, 2, 3)); err != nil || got != h {
		t.Errorf("got %+v, %v", got, err)
	}
	b := heartbeat{stamp: 1, echo: 1 << 62, held: time.Second}
	if got, err := decodeHeartbeat(b.encode()); err != nil || got != b {
		t.Errorf("got %+v, %v", got, err)
	}
	b.pace = 2 * time.Second
	if got, err := decodeHeartbeat(append(b.encode(), 1, 2, 3)); err != nil || got != b {
		t.Errorf("got %+v, %v", got, err)
	}
	b.pace = maxHeartbeat + time.Millisecond
	if got, err := decodeHeartbeat(b.encode()); !errors.Is(err, errFrame) {
		t.Errorf("a peer that may be dead for long: got %+v, %v", got, err)
	}
}

func TestQueueIsBoundedInCountAndBytes(t *testing.T) {
	q := newOutQueue(3, 100)
	if q.push(outFrame{data: make([]byte, 101)}) {
		t.Error("a frame over the byte limit was taken")
	}
	for i := range 3 {
		if !q.push(outFrame{data: make([]byte, 10)}) {
			t.Errorf("frame %d was not taken", i)
		}
	}
	if q.push(outFrame{}) {
		t.Error("a frame over the count was taken")
	}
	batch := q.take(nil)
	if len(batch) != 3 || q.push(outFrame{}) {
		t.Error("frames being written do not count")
	}
	q.done(3, 30)
	if !q.empty() || !q.push(outFrame{}) || q.drop() != 1 || !q.empty() {
		t.Error("the queue miscounts")
	}
}

// FuzzFrames feeds what a member may send on a frames stream to everything that decodes it.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{kindHello, 0, 0, 13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 250})
	f.Add([]byte{kindApp, 0xff, 0xff, 0xff})
	f.Add(append(appendHeader(nil, kindHeartbeat, 24), make([]byte, 24)...))
	f.Add(append(appendHeader(nil, kindPeers, 1), 0x80))
	f.Fuzz(func(t *testing.T, in []byte) {
		fr := newFrameReader(bytes.NewReader(in))
		for {
			kind, data, err := fr.next()
			if err != nil {
				return
			}
			if len(data) > kindLimit(kind) || len(data) > len(in) {
				t.Fatalf("%d bytes of kind %d from %d", len(data), kind, len(in))
			}
			switch kind {
			case kindHello:
				_, _ = decodeHello(data)
			case kindHeartbeat:
				_, _ = decodeHeartbeat(data)
			case kindPeers:
				m, err := decodePeers(data)
				if len(m) > maxTold {
					t.Fatalf("%d peers, %v", len(m), err)
				}
			}
		}
	})
}

// FuzzAnswer feeds what a stranger may answer.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{statusOK, 0, 0, 0, 1, 7})
	f.Add([]byte{statusError, 0, 0, 0, 2, 0xff, 'x'})
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := readAnswer(bytes.NewReader(in), 1000)
		var remote *RemoteError
		if len(b) > 1000 || errors.As(err, &remote) && len(remote.Text) > maxErrorText {
			t.Fatal("over the limit")
		}
	})
}
