package rooms

import "encoding/binary"

// What is encoded and hashed for each message, on every node and several times, is encoded by hand here: reflection over arrays of bytes takes
// ten times as long. The bytes are those that encMode gives; TestEncodeByHand holds both against each other.

// Major types (RFC 8949 §3.1) with a length or value.
const (
	majorUint  = 0 << 5
	majorInt   = 1 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5

	cborNull = 0xf6
)

// appendHead appends a major type with its argument, in the shortest form (RFC 8949 §4.2.1).
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

func appendUint(dst []byte, n uint64) []byte { return appendHead(dst, majorUint, n) }

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, majorInt, uint64(-(n + 1)))
	}
	return appendHead(dst, majorUint, uint64(n))
}

// appendBytes appends a byte string; nil is null.
func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, cborNull)
	}
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...)
}

func appendID(dst []byte, id *[32]byte) []byte {
	return append(append(dst, majorBytes|24, 32), id[:]...)
}

func appendHash(dst []byte, h *Hash) []byte   { return appendID(dst, (*[32]byte)(h)) }
func appendNode(dst []byte, n *NodeID) []byte { return appendID(dst, (*[32]byte)(n)) }

func appendText(dst []byte, s string) []byte {
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

// appendList appends an array; nil is null.
func appendList[E any](dst []byte, list []E, f func([]byte, *E) []byte) []byte {
	if list == nil {
		return append(dst, cborNull)
	}
	dst = appendHead(dst, majorArray, uint64(len(list)))
	for i := range list {
		dst = f(dst, &list[i])
	}
	return dst
}

func appendRequest(dst []byte, r *Request) []byte {
	dst = appendBytes(appendWish(appendHead(dst, majorArray, 9), r), r.Body)
	return appendBytes(dst, r.Sig)
}

// appendUnsigned appends what the author of a request signs: all but the signature, with the body's hash for the body.
func appendUnsigned(dst []byte, r *Request, body *Hash) []byte {
	return appendHash(appendWish(appendHead(dst, majorArray, 8), r), body)
}

// appendWish appends the fields before the body.
func appendWish(dst []byte, r *Request) []byte {
	dst = appendHash(dst, &r.Room)
	dst = appendText(dst, r.Account)
	dst = appendText(dst, r.Nick)
	dst = appendNode(dst, &r.Device)
	dst = appendUint(dst, r.Counter)
	dst = appendUint(dst, r.Dir)
	return appendUint(dst, uint64(r.Op))
}

func appendBatch(dst []byte, b *Batch) []byte {
	dst = appendHead(dst, majorArray, 8)
	dst = appendUint(dst, b.Epoch)
	dst = appendUint(dst, b.Term)
	dst = appendUint(dst, b.Height)
	dst = appendInt(dst, b.Time)
	dst = appendUint(dst, b.Dir)
	dst = appendNode(dst, &b.Leader)
	dst = appendList(dst, b.Requests, appendRequest)
	return appendBytes(dst, b.Sig)
}

func appendHeader(dst []byte, h *Header) []byte {
	dst = appendHead(dst, majorArray, 10)
	dst = appendHash(dst, &h.Room)
	dst = appendUint(dst, h.Epoch)
	dst = appendUint(dst, h.Height)
	dst = appendHash(dst, &h.Prev)
	dst = appendInt(dst, h.Time)
	dst = appendUint(dst, h.Dir)
	dst = appendUint(dst, h.Seq)
	dst = appendHash(dst, &h.Payload)
	dst = appendHash(dst, &h.Verdicts)
	return appendHash(dst, &h.State)
}

func appendSignature(dst []byte, s *Signature) []byte {
	dst = appendHead(dst, majorArray, 2)
	dst = appendNode(dst, &s.Node)
	return appendBytes(dst, s.Sig)
}

func appendDecision(dst []byte, d *Decision) []byte {
	dst = appendHead(dst, majorArray, 4)
	dst = appendHeader(dst, &d.Header)
	dst = appendBatch(dst, &d.Batch)
	dst = appendBytes(dst, d.Verdicts)
	return appendList(dst, d.Cert, appendSignature)
}

// Sizes in bytes of an encoding without its requests, texts and signatures: what to set aside at first.
const (
	requestFrame  = 192
	batchFrame    = 160
	decisionFrame = 256
)

func (r *Request) size() int {
	return requestFrame + len(r.Account) + len(r.Nick) + len(r.Body) + len(r.Sig)
}

func (b *Batch) size() int {
	n := batchFrame
	for i := range b.Requests {
		n += b.Requests[i].size()
	}
	return n
}

// byHand returns the canonical encoding of the types above; false: v is of another type.
func byHand(v any) ([]byte, bool) {
	switch v := v.(type) {
	case *Request:
		return appendRequest(make([]byte, 0, v.size()), v), true
	case *Batch:
		return appendBatch(make([]byte, 0, v.size()), v), true
	case *Header:
		return appendHeader(make([]byte, 0, decisionFrame), v), true
	case *Decision:
		return appendDecision(make([]byte, 0, v.Batch.size()+2*decisionFrame+len(v.Verdicts)+128*len(v.Cert)), v), true
	}
	return nil, false
}
