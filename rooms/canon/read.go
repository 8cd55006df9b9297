package canon

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Reader takes values off the front of an encoding. The first one that is not there, is of another kind, or is not written as Append… writes it
// makes the reader bad: from then on all that it returns is zero. Ask Done at the end. Any bytes are safe.
type Reader struct {
	rest []byte
	bad  bool
}

// NewReader returns a reader of data, which must not change meanwhile.
func NewReader(data []byte) Reader { return Reader{rest: data} }

// Done reports whether all was read, and good.
func (r *Reader) Done() bool { return !r.bad && len(r.rest) == 0 }

// Fail makes the reader bad: what was read cannot be.
func (r *Reader) Fail() { r.bad, r.rest = true, nil }

// head takes a major type with its argument.
func (r *Reader) head(major byte) uint64 {
	if len(r.rest) == 0 || r.rest[0]&0xe0 != major {
		r.Fail()
		return 0
	}
	info := r.rest[0] & 0x1f
	r.rest = r.rest[1:]
	if info < 24 {
		return uint64(info)
	}
	size := 1 << (info - 24)
	if info > 27 || len(r.rest) < size {
		r.Fail()
		return 0
	}
	var n, least uint64 // least: what is smaller has a shorter form
	switch size {
	case 1:
		n, least = uint64(r.rest[0]), 24
	case 2:
		n, least = uint64(binary.BigEndian.Uint16(r.rest)), 1<<8
	case 4:
		n, least = uint64(binary.BigEndian.Uint32(r.rest)), 1<<16
	default:
		n, least = binary.BigEndian.Uint64(r.rest), 1<<32
	}
	r.rest = r.rest[size:]
	if n < least {
		r.Fail()
		return 0
	}
	return n
}

// Uint takes an unsigned number of at most limit.
func (r *Reader) Uint(limit uint64) uint64 {
	n := r.head(majorUint)
	if n > limit {
		r.Fail()
		return 0
	}
	return n
}

// Int takes a number.
func (r *Reader) Int() int64 {
	negative := len(r.rest) > 0 && r.rest[0]&0xe0 == majorInt
	major := byte(majorUint)
	if negative {
		major = majorInt
	}
	n := r.head(major)
	switch {
	case n > math.MaxInt64:
		r.Fail()
		return 0
	case r.bad:
		return 0
	case negative:
		return -int64(n) - 1
	}
	return int64(n)
}

// Null takes a null, if one comes next.
func (r *Reader) Null() bool {
	if len(r.rest) == 0 || r.rest[0] != cborNull {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// take takes n bytes.
func (r *Reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.Fail()
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// View takes a byte string without copying it: what it returns is part of the encoding. Null is nil.
func (r *Reader) View() []byte {
	if r.Null() {
		return nil
	}
	return r.take(r.head(majorBytes))
}

// Bytes is View that copies.
func (r *Reader) Bytes() []byte { return bytes.Clone(r.View()) }

// ID takes an id or a hash.
func (r *Reader) ID(id *[32]byte) {
	b := r.take(r.head(majorBytes))
	if len(b) != len(id) {
		r.Fail()
		return
	}
	copy(id[:], b)
}

// Text takes text.
func (r *Reader) Text() string {
	b := r.take(r.head(majorText))
	if !utf8.Valid(b) {
		r.Fail()
		return ""
	}
	return string(b)
}

// Bool takes yes or no.
func (r *Reader) Bool() bool {
	b := r.take(1)
	if len(b) == 0 || b[0] != cborTrue && b[0] != cborFalse {
		r.Fail()
		return false
	}
	return b[0] == cborTrue
}

// Fields takes the beginning of an array of exactly n elements.
func (r *Reader) Fields(n int) {
	if r.head(majorArray) != uint64(n) {
		r.Fail()
	}
}

// List takes an array of at most limit elements, each of at least size bytes, with f; null is nil. Elements are made as they come, so a length
// that lies costs nothing.
func List[E any](r *Reader, limit, size int, f func(*Reader, *E)) []E {
	if r.Null() {
		return nil
	}
	n := r.head(majorArray)
	if r.bad || n > uint64(limit) || n*uint64(size) > uint64(len(r.rest)) {
		r.Fail()
		return nil
	}
	list := make([]E, n)
	for i := range list {
		if f(r, &list[i]); r.bad {
			return nil
		}
	}
	return list
}
