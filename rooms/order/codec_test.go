package order

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"warren/rooms"
)

// sameCodec checks that decoding by hand takes what the library takes, as the same value, and that encoding by hand gives the same bytes back.
func sameCodec(t interface{ Errorf(string, ...any) }, data []byte) {
	var got, want envelope
	err, wantErr := got.decode(data), rooms.Unmarshal(data, &want)
	switch {
	case (err == nil) != (wantErr == nil):
		t.Errorf("by hand: %v, by the library: %v\n%x", err, wantErr, data)
	case err == nil && !reflect.DeepEqual(got, want):
		t.Errorf("by hand %+v, by the library %+v\n%x", got, want, data)
	case err == nil && !bytes.Equal(want.encode(), data):
		t.Errorf("encoded by hand\n%x, want\n%x", want.encode(), data)
	}
}

func TestCodecByHand(t *testing.T) {
	usual := 0
	rapid.Check(t, func(t *rapid.T) {
		data := Forge(rapid.SliceOfN(rapid.Byte(), 8, 400).Draw(t, "fuzz"))
		var e envelope
		if e.decodeUsual(data) {
			usual++
		}
		sameCodec(t, data)
		at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
		bad := bytes.Clone(data)
		bad[at] = rapid.Byte().Draw(t, "byte")
		sameCodec(t, bad)
		sameCodec(t, data[:at])
		sameCodec(t, append(data, bad[at]))
	})
	if usual == 0 {
		t.Error("nothing was decoded by hand")
	}
}

func TestRecordsByHand(t *testing.T) {
	for _, r := range []Record{
		{}, {Born: &Born{Incarnation: 7}}, {Snapshot: &Snapshot{Index: 3}}, {Entry: &Entry{}}, {Entry: &Entry{Index: 24, Term: 300, Type: 2, Data: []byte("data")}},
		{Hard: &Hard{Term: 1, Vote: 1 << 62, Commit: 255}}, {Signed: &Signed{Epoch: 1, Height: EndOfEpoch, Header: rooms.Hash{9}, Change: true}},
	} {
		if got, want := r.Encode(), rooms.Marshal(&r); !bytes.Equal(got, want) {
			t.Errorf("by hand\n%x, want\n%x", got, want)
		}
	}
}

// FuzzCodec holds the codec by hand against the library.
func FuzzCodec(f *testing.F) {
	for _, e := range []envelope{
		{Raft: &raftMessage{Type: 3, From: 1, To: 2, Term: 300, Entries: []Entry{{Index: 1, Data: []byte("x")}, {}}}},
		{Raft: &raftMessage{Type: 7, Snapshot: &Snapshot{Index: 1}}},
		{Sign: &signMessage{Height: 1, Sig: make([]byte, 64), Again: true}},
		{Cert: &certMessage{Height: 70_000, Cert: rooms.Certificate{{Sig: make([]byte, 64)}}}, Ended: 1},
		{Ask: &askMessage{Height: 1}},
		{Sign: &signMessage{}, Cert: &certMessage{}},
	} {
		f.Add(rooms.Marshal(&e))
	}
	f.Fuzz(func(t *testing.T, data []byte) { sameCodec(t, data) })
}
