package rooms

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// forms are values of every type that travels or lies on disk.
func forms() []any {
	out := []any{
		&Request{}, &Batch{}, &Header{}, &Signature{}, &Certificate{}, &Decision{}, &Endorsement{}, &Consent{}, &Genesis{}, &Device{}, &AccountRecord{},
		&NodeRecord{}, &RoomRecord{}, &Base{}, &Occupant{}, &Object{}, &Settings{}, &State{}, &Directory{}, &ChainSnapshot{}, &Verdicts{},
		&Statement{}, &Promise{}, &EpochRecord{}, &Rescue{}, &Mark{},
	}
	for _, op := range allOps() {
		out = append(out, newBody(op))
	}
	return out
}

func allOps() []Op {
	var out []Op
	for op := range Op(1024) {
		if newBody(op) != nil {
			out = append(out, op)
		}
	}
	return out
}

// fill sets v and all in it to drawn values.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "present") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem())
			if e := v.Elem(); e.Kind() == reflect.Slice && e.IsNil() {
				e.Set(reflect.MakeSlice(e.Type(), 0, 0)) // a pointer to nothing has no encoding of its own: see NewRequest
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(t, v.Field(i))
			}
		}
	case reflect.Slice:
		n := rapid.IntRange(-1, 3).Draw(t, "length")
		if n < 0 {
			return // nil
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(t, "byte")))
		}
	case reflect.Map:
		n := rapid.IntRange(-1, 3).Draw(t, "length")
		if n < 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for range n {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, k)
			fill(t, e)
			v.SetMapIndex(k, e)
		}
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int"))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64Max(1<<(8*v.Type().Size()-1)).Draw(t, "uint"))
	default:
		t.Fatalf("no value for %s", v.Type())
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	for _, form := range forms() {
		typ := reflect.TypeOf(form).Elem()
		t.Run(typ.Name(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(typ)
				fill(t, v.Elem())
				data := Marshal(v.Interface())
				got := reflect.New(typ)
				if err := Unmarshal(data, got.Interface()); err != nil {
					t.Fatal(err)
				}
				if again := Marshal(got.Interface()); !bytes.Equal(again, data) {
					t.Error("encoded again it is something else")
				}
				if typ != reflect.TypeFor[Directory]() && !reflect.DeepEqual(v.Interface(), got.Interface()) {
					t.Error(cmp.Diff(v.Interface(), got.Interface(), cmp.Exporter(func(reflect.Type) bool { return true })))
				}
			})
		})
	}
}

func TestUnmarshalTakesTheCanonicalFormOnly(t *testing.T) {
	type pair struct {
		_ struct{} `cbor:",toarray"`
		N uint64
		H [4]byte
		M map[string]int64
	}
	good := []byte{0x83, 0x01, 0x44, 1, 2, 3, 4, 0xa2, 0x61, 'a', 0x01, 0x61, 'b', 0x20}
	swap := func(old, next string) []byte { return bytes.Replace(good, []byte(old), []byte(next), 1) }
	tests := map[string][]byte{
		"nothing":                    {},
		"cut short":                  good[:len(good)-1],
		"a byte too many":            append(bytes.Clone(good), 0),
		"a number in two bytes":      swap("\x83\x01", "\x83\x18\x01"),
		"a length in two bytes":      swap("\x44", "\x58\x04"),
		"an id too short":            swap("\x44\x01\x02\x03\x04", "\x43\x01\x02\x03"),
		"an id too long":             swap("\x44\x01\x02\x03\x04", "\x45\x01\x02\x03\x04\x05"),
		"an id as an array":          swap("\x44\x01\x02\x03\x04", "\x84\x01\x02\x03\x04"),
		"an id that is null":         swap("\x44\x01\x02\x03\x04", "\xf6"),
		"a number that is null":      swap("\x83\x01", "\x83\xf6"),
		"a number that is undefined": swap("\x83\x01", "\x83\xf7"),
		"a number with a fraction":   swap("\x83\x01", "\x83\xf9\x3c\x00"),
		"a tagged number":            swap("\x83\x01", "\x83\xc1\x01"),
		"a field too few":            {0x82, 0x01, 0x44, 1, 2, 3, 4},
		"a field too many":           append(append([]byte{0x84}, good[1:]...), 0x01),
		"an endless array":           append(append([]byte{0x9f}, good[1:]...), 0xff),
		"keys out of order":          swap("\x61a\x01\x61b\x20", "\x61b\x20\x61a\x01"),
		"one key twice":              swap("\x61b", "\x61a"),
		"bad UTF-8":                  swap("\x61b", "\x61\xff"),
		"null for all of it":         {0xf6},
	}
	var v pair
	if err := Unmarshal(good, &v); err != nil || v.M["b"] != -1 {
		t.Fatalf("the canonical form: %v, %v", v, err)
	}
	for name, data := range tests {
		if err := Unmarshal(data, &pair{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := Unmarshal(tests["an id too short"], &pair{}); !errors.Is(err, ErrNotCanonical) {
		t.Errorf("an id too short: %v", err)
	}
}

func TestEveryOperationHasItsOwnBody(t *testing.T) {
	seen := map[reflect.Type]Op{}
	for _, op := range allOps() {
		b := newBody(op)
		if b.op() != op {
			t.Errorf("the body of operation %d says it is of %d", op, b.op())
		}
		if other, twice := seen[reflect.TypeOf(b)]; twice {
			t.Errorf("%T is the body of %d and %d", b, other, op)
		}
		seen[reflect.TypeOf(b)] = op
	}
	want := []Op{
		OpEnter, OpLeave, OpNick, OpSay, OpSubject, OpConfigure, OpGrant, OpSanction, OpPardon, OpKick, OpInvite, OpPut, OpRemove, OpTag, OpKeep, OpClose,
		OpNodeGone, OpReconfigure, OpBegin, OpRegister, OpAddDevice, OpDropDevice, OpAdmitNode, OpDropNode, OpCreateRoom, OpDropRoom, OpWitness,
		OpNewEpoch, OpLabelNode, OpHideRoom,
	}
	if !reflect.DeepEqual(allOps(), want) { // numbers travel: they are only appended to
		t.Errorf("operations %v, want %v", allOps(), want)
	}
}

// lived sets v to a value that is not zero, in every exported field.
func lived(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				lived(t, v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		lived(t, v.Index(0))
	case reflect.Array:
		v.Index(0).SetUint(7)
	case reflect.Map:
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		lived(t, k)
		lived(t, e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(k, e)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	default:
		t.Fatalf("a field of kind %s: say here how to fill it", v.Kind())
	}
}

func TestEveryFieldReachesTheSnapshot(t *testing.T) {
	for _, m := range []Machine{&State{}, &Directory{}} {
		typ := reflect.TypeOf(m).Elem()
		for i := range typ.NumField() {
			f := typ.Field(i)
			if !f.IsExported() {
				continue
			}
			v := reflect.New(typ)
			before := Marshal(v.Interface())
			lived(t, v.Elem().Field(i))
			data := Marshal(v.Interface())
			got := reflect.New(typ)
			if err := Unmarshal(data, got.Interface()); err != nil {
				t.Fatalf("%s.%s: %v", typ.Name(), f.Name, err)
			}
			if bytes.Equal(before, data) || !reflect.DeepEqual(v.Elem().Field(i).Interface(), got.Elem().Field(i).Interface()) {
				t.Errorf("%s.%s is lost between snapshot and restore", typ.Name(), f.Name)
			}
		}
	}
	var hidden []string
	for _, typ := range []reflect.Type{reflect.TypeFor[State](), reflect.TypeFor[Directory](), reflect.TypeFor[Base](), reflect.TypeFor[Occupant](), reflect.TypeFor[Object]()} {
		for i := range typ.NumField() {
			if f := typ.Field(i); !f.IsExported() && f.Name != "_" {
				hidden = append(hidden, typ.Name()+"."+f.Name)
			}
		}
	}
	if want := []string{"Directory.names"}; !reflect.DeepEqual(hidden, want) { // derived again by RestoreDirectory
		t.Errorf("fields that no snapshot holds: %v, want %v", hidden, want)
	}
}

func TestEveryFieldOfAChainReachesItsSnapshot(t *testing.T) {
	w := newWorld(t)
	w.in(zed)
	for _, c := range []*Chain{w.room, w.dir} {
		c.Epoch = 3
		again, err := RestoreChain(c.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		a, b := reflect.ValueOf(c).Elem(), reflect.ValueOf(again).Elem()
		for i := range a.NumField() {
			if !a.Type().Field(i).IsExported() {
				continue // what is ahead is learned anew from the directory
			}
			if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				t.Errorf("%s: %v, restored %v", a.Type().Field(i).Name, a.Field(i), b.Field(i))
			}
		}
	}
}

func TestSnapshotsThatDoNotFitAreRefused(t *testing.T) {
	for name, f := range map[string]func(*State){
		"no table":                   func(s *State) { s.Occupants = nil },
		"no controllers":             func(s *State) { s.B.Controllers = nil },
		"an occupant under no nick":  func(s *State) { s.Occupants["x"] = s.Occupants["zed"] },
		"an occupant of no node":     func(s *State) { s.Occupants["zed"] = Occupant{Nick: "zed"} },
		"a guest of two nodes":       func(s *State) { s.Occupants["zed"] = Occupant{Nick: "zed", Nodes: ids("n1", "n2")} },
		"empty with people in it":    func(s *State) { s.EmptySince = 5 },
		"an object under another id": func(s *State) { s.Objects["x"] = Object{ID: "y"} },
		"bytes that are not there":   func(s *State) { s.Bytes++ },
		"two documents with one name": func(s *State) {
			s.Objects["a"], s.Objects["b"] = Object{ID: "a", Name: "x"}, Object{ID: "b", Name: "X"}
		},
	} {
		w := newWorld(t).in(zed)
		f(w.state())
		if _, err := RestoreState(w.state().Snapshot()); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	for name, f := range map[string]func(*Directory){
		"no table":                     func(d *Directory) { d.Made = nil },
		"an account under two names":   func(d *Directory) { d.Accounts["x"] = d.Accounts["alice"] },
		"a node under another id":      func(d *Directory) { d.Nodes[NodeID{1}] = NodeRecord{} },
		"two rooms with one name":      func(d *Directory) { r := d.Rooms[d.names["lab"]]; r.ID = Hash{1}; d.Rooms[r.ID] = r },
		"a room without controllers":   func(d *Directory) { d.Rooms[Hash{1}] = RoomRecord{ID: Hash{1}, Name: "x"} },
		"a directory of no one at all": func(d *Directory) { d.B.Controllers = nil },
	} {
		w := newWorld(t)
		f(w.directory())
		if _, err := RestoreDirectory(w.directory().Snapshot()); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
}
