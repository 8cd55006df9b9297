// Package canon writes and reads the canonical encoding of CBOR (RFC 8949 §4.2.1) by hand, for what travels with each message: reflection takes
// ten times as long, and a strict decoder that is not made for one form has to encode again what it read. What it takes and gives is what
// rooms.Marshal and rooms.Unmarshal do with the same values; their tests hold both against each other.
//
// It knows numbers, byte strings, text, arrays, booleans and null: no maps, no tags, no floats. Pure.
package canon

import "encoding/binary"

// Major types (RFC 8949 §3.1) with a length or value, and the simple values.
const (
	majorUint  = 0 << 5
	majorInt   = 1 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5

	cborFalse = 0xf4
	cborTrue  = 0xf5
	cborNull  = 0xf6
)

// appendHead appends a major type with its argument, in the shortest form.
func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

// AppendUint appends an unsigned number.
func AppendUint(dst []byte, n uint64) []byte { return appendHead(dst, majorUint, n) }

// AppendInt appends a number.
func AppendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, majorInt, uint64(-(n + 1)))
	}
	return appendHead(dst, majorUint, uint64(n))
}

// AppendBytes appends a byte string; nil is null.
func AppendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, cborNull)
	}
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...)
}

// AppendID appends an id or a hash.
func AppendID(dst []byte, id *[32]byte) []byte {
	return append(append(dst, majorBytes|24, 32), id[:]...)
}

// AppendText appends text, which must be UTF-8.
func AppendText(dst []byte, s string) []byte {
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

// AppendBool appends yes or no.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, cborTrue)
	}
	return append(dst, cborFalse)
}

// AppendNull appends what stands for something that is not there.
func AppendNull(dst []byte) []byte { return append(dst, cborNull) }

// AppendArray begins an array of n elements, which follow.
func AppendArray(dst []byte, n int) []byte { return appendHead(dst, majorArray, uint64(n)) }

// AppendList appends an array; nil is null.
func AppendList[E any](dst []byte, list []E, f func([]byte, *E) []byte) []byte {
	if list == nil {
		return append(dst, cborNull)
	}
	dst = AppendArray(dst, len(list))
	for i := range list {
		dst = f(dst, &list[i])
	}
	return dst
}
