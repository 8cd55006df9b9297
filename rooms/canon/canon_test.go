package canon

import (
	"bytes"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWhatIsAppendedIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, i, yes := rapid.Uint64().Draw(t, "uint"), rapid.Int64().Draw(t, "int"), rapid.Bool().Draw(t, "bool")
		b, s := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"), rapid.String().Draw(t, "text")
		id := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id"))
		list := rapid.SliceOf(rapid.Uint64()).Draw(t, "list")
		data := AppendArray(nil, 8)
		data = AppendUint(data, n)
		data = AppendInt(data, i)
		data = AppendBool(data, yes)
		data = AppendBytes(data, b)
		data = AppendText(data, s)
		data = AppendID(data, &id)
		data = AppendList(data, list, func(dst []byte, n *uint64) []byte { return AppendUint(dst, *n) })
		data = AppendNull(data)
		r := NewReader(data)
		r.Fields(8)
		var gotID [32]byte
		ok := r.Uint(math.MaxUint64) == n && r.Int() == i && r.Bool() == yes && bytes.Equal(r.Bytes(), b) && r.Text() == s
		r.ID(&gotID)
		got := List(&r, len(list), 1, func(r *Reader, n *uint64) { *n = r.Uint(math.MaxUint64) })
		if ok = ok && gotID == id && len(got) == len(list) && r.Null(); !ok || !r.Done() {
			t.Errorf("read something else of %x", data)
		}
		for i := range list {
			if got[i] != list[i] {
				t.Errorf("element %d: %d, want %d", i, got[i], list[i])
			}
		}
	})
}

func TestReaderTakesOneFormOnly(t *testing.T) {
	number := func(r *Reader) { r.Uint(300) }
	list := func(r *Reader) { List(r, 3, 1, func(r *Reader, n *uint64) { *n = r.Uint(9) }) }
	for name, tt := range map[string]struct {
		data string
		read func(*Reader)
	}{
		"nothing":                    {"", number},
		"a number in two bytes":      {"\x18\x17", number},
		"a number in three bytes":    {"\x19\x00\xff", number},
		"a number in five bytes":     {"\x1a\x00\x00\xff\xff", number},
		"a number in nine bytes":     {"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", number},
		"a number above the limit":   {"\x19\x01\x2d", number},
		"a number that is cut short": {"\x19\x01", number},
		"a number without an end":    {"\x1f", number},
		"a number that is null":      {"\xf6", number},
		"something behind it":        {"\x01\x01", number},
		"too small":                  {"\x3b\x80\x00\x00\x00\x00\x00\x00\x00", func(r *Reader) { r.Int() }},
		"too large":                  {"\x1b\x80\x00\x00\x00\x00\x00\x00\x00", func(r *Reader) { r.Int() }},
		"bytes that are not there":   {"\x42\x01", func(r *Reader) { r.Bytes() }},
		"a length that lies":         {"\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x01", func(r *Reader) { r.View() }},
		"bytes that are text":        {"\x61a", func(r *Reader) { r.Bytes() }},
		"bad UTF-8":                  {"\x61\xff", func(r *Reader) { _ = r.Text() }},
		"an id too short":            {"\x41\x01", func(r *Reader) { r.ID(new([32]byte)) }},
		"neither yes nor no":         {"\xf7", func(r *Reader) { r.Bool() }},
		"a field too few":            {"\x81\x01", func(r *Reader) { r.Fields(2); number(r) }},
		"a list too long":            {"\x84\x01\x01\x01\x01", list},
		"a list that lies":           {"\x83\x01", list},
		"a list of another kind":     {"\x81\x41\x01", list},
	} {
		r := NewReader([]byte(tt.data))
		if tt.read(&r); r.Done() {
			t.Errorf("%s: taken", name)
		}
	}
}
