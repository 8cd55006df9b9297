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
	})
}
