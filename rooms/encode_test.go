package rooms

import (
	"bytes"
	"crypto/sha256"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// What is encoded by hand must be what the library would have written: every signature and hash of the network rests on it.
func TestEncodeByHand(t *testing.T) {
	for _, form := range forms() {
		typ := reflect.TypeOf(form).Elem()
		if _, ok := byHand(form); !ok {
			continue
		}
		t.Run(typ.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(typ)
				fill(t, v.Elem())
				got, _ := byHand(v.Interface())
				if want := must(encMode.Marshal(v.Interface())); !bytes.Equal(got, want) {
					t.Errorf("%s by hand\n%x, want\n%x", typ.Name(), got, want)
				}
			})
		})
	}
}

// sameByHand checks that decoding by hand takes what the library takes, as the same value, and nothing else.
func sameByHand(t interface{ Errorf(string, ...any) }, typ reflect.Type, data []byte) {
	got, want := reflect.New(typ), reflect.New(typ)
	_, good := readByHand(data, got.Interface())
	if err := unmarshal(data, want.Interface()); good != (err == nil) {
		t.Errorf("%s by hand: %v, by the library: %v\n%x", typ.Name(), good, err, data)
	} else if good && !reflect.DeepEqual(got.Interface(), want.Interface()) {
		t.Errorf("%s by hand is another value\n%x", typ.Name(), data)
	}
}

// formsByHand are those of forms that are encoded by hand.
func formsByHand() (out []reflect.Type) {
	for _, form := range forms() {
		if _, ok := byHand(form); ok {
			out = append(out, reflect.TypeOf(form).Elem())
		}
	}
	return out
}

func TestDecodeByHand(t *testing.T) {
	for _, typ := range formsByHand() {
		t.Run(typ.Name(), func(t *testing.T) {
			if known, _ := readByHand(nil, reflect.New(typ).Interface()); !known {
				t.Fatal("encoded by hand, but not decoded")
			}
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(typ)
				fill(t, v.Elem())
				data, _ := byHand(v.Interface())
				sameByHand(t, typ, data)
				if !reflect.DeepEqual(mustRead(t, typ, data), v.Interface()) {
					t.Error("decoded it is something else")
				}
				// The same with a byte that is another one, cut short, or too long.
				at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
				bad := bytes.Clone(data)
				bad[at] = rapid.Byte().Draw(t, "byte")
				sameByHand(t, typ, bad)
				sameByHand(t, typ, data[:at])
				sameByHand(t, typ, append(data, bad[at]))
			})
		})
	}
}

func mustRead(t *rapid.T, typ reflect.Type, data []byte) any {
	v := reflect.New(typ).Interface()
	if err := Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzDecodeByHand holds decoding by hand against the library.
func FuzzDecodeByHand(f *testing.F) {
	types := formsByHand()
	sign := func(n byte) Signature { return Signature{Node: NodeID{n}, Sig: make([]byte, 64)} }
	r := Request{Account: "ann", Nick: "ann", Counter: 24, Dir: 1 << 20, Op: OpSay, Body: []byte{}, Sig: make([]byte, 64)}
	b := Batch{Epoch: 1, Term: 300, Height: 70_000, Time: -1, Requests: []Request{r, {}}}
	for i, v := range []any{&r, &b, &Header{Time: 1 << 40}, &Signature{}, &Decision{Batch: b, Verdicts: Verdicts{0, 1}, Cert: Certificate{sign(1), sign(2)}}} {
		f.Add(byte(i), Marshal(v))
	}
	f.Add(byte(4), []byte("\x84\xf6"))
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		sameByHand(t, types[int(which)%len(types)], data)
	})
}

// What is signed has forms of its own; here they are as the library encodes them.
type (
	requestToSign struct {
		_             struct{} `cbor:",toarray"`
		Room          RoomID
		Account, Nick string
		Device        NodeID
		Counter, Dir  uint64
		Op            Op
		Body          Hash
	}
)

func libraryHash(domain string, v any) Hash {
	return sha256.Sum256(append([]byte(domain+"\x00"), must(encMode.Marshal(v))...))
}

func TestWhatIsSigned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Batch
		fill(t, reflect.ValueOf(&b).Elem())
		room := Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "room"))
		list := make([]Hash, len(b.Requests))
		for i := range b.Requests {
			r := &b.Requests[i]
			list[i] = libraryHash("warren/request-in-batch/1", r)
			want := libraryHash("warren/request/1", requestToSign{
				Room: r.Room, Account: r.Account, Nick: r.Nick, Device: r.Device, Counter: r.Counter, Dir: r.Dir, Op: r.Op,
				Body: libraryHash("warren/body/1", r.Body),
			})
			if got := r.ID(); got != want {
				t.Errorf("request's id %s, want %s", got, want)
			}
		}
		if got, want := b.Mark(room).Requests, libraryHash("warren/requests-in-batch/1", list); got != want {
			t.Errorf("hash of a batch's requests %s, want %s", got, want)
		}
		m := b.Mark(room)
		if got, want := m.hash(), libraryHash("warren/batch/2", []any{m.Room, m.Epoch, m.Term, m.Height, m.Time, m.Dir, m.Leader, m.Requests}); got != want {
			t.Errorf("what a leader signs %s, want %s", got, want)
		}
	})
}
