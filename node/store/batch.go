package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// Limits of a batch.
const (
	// MaxKeyBytes is bbolt's limit for a key.
	MaxKeyBytes = 32768
	// MaxBatchBytes bounds what one frame of the log can hold, so that a
	// damaged length field never makes Open allocate without measure. A state
	// snapshot is the largest thing that is stored in one piece.
	MaxBatchBytes = 64 << 20
)

// The kinds of operations; numbers are on disk.
const (
	opPut         = 1 // key, value
	opDelete      = 2 // key
	opDeleteRange = 3 // from, to (exclusive)
	opDeleteFrom  = 4 // from; to the end of the bucket
)

// A Batch is a list of changes that take effect together, in the order they
// were added: a later one overrides an earlier one. Its methods copy their
// arguments. The zero Batch is empty and ready. A Batch must not be used by
// several goroutines at once; Commit and CommitAsync take its content away and
// leave it empty, ready to be filled again.
//
// Mistakes (an unknown bucket, an empty or too long key, too many bytes) are
// remembered and returned by Commit; such a Batch is to be thrown away.
type Batch struct {
	buf []byte // encoded operations, see appendOp
	n   int
	err error
}

// Grow makes room for n bytes of operations: who knows how much will come spares copying.
func (b *Batch) Grow(n int) { b.buf = slices.Grow(b.buf, n) }

// Put sets key to value; a nil value is stored as an empty one.
func (b *Batch) Put(bucket Bucket, key, value []byte) { b.add(opPut, bucket, key, value) }

// Delete removes key; it is no error when there is none.
func (b *Batch) Delete(bucket Bucket, key []byte) { b.add(opDelete, bucket, key, nil) }

// DeleteRange removes all keys in [from, to). An empty from is the bucket's
// beginning, a nil to its end. It costs the same however many keys there are.
func (b *Batch) DeleteRange(bucket Bucket, from, to []byte) {
	if to == nil {
		b.add(opDeleteFrom, bucket, from, nil)
		return
	}
	b.add(opDeleteRange, bucket, from, to)
}

// Len returns the number of operations.
func (b *Batch) Len() int { return b.n }

// Size returns the encoded size in bytes, which is about what the batch takes
// in memory and in the log.
func (b *Batch) Size() int { return len(b.buf) }

func (b *Batch) add(kind byte, bucket Bucket, key, val []byte) {
	if b.err != nil {
		return
	}
	isRange := kind == opDeleteRange || kind == opDeleteFrom
	switch {
	case !bucket.known():
		b.err = fmt.Errorf("%w: bucket %q is not in the schema", ErrBatch, bucket)
	case len(key) == 0 && !isRange:
		b.err = fmt.Errorf("%w: empty key in bucket %s", ErrBatch, bucket)
	case len(key) > MaxKeyBytes || isRange && len(val) > MaxKeyBytes:
		b.err = fmt.Errorf("%w: key in bucket %s is longer than %d bytes", ErrBatch, bucket, MaxKeyBytes)
	case len(val) > MaxBatchBytes || len(b.buf)+opOverhead+len(bucket)+len(key)+len(val) > MaxBatchBytes:
		b.err = fmt.Errorf("%w: more than %d bytes", ErrBatch, MaxBatchBytes)
	case bucket == Meta && touchesVersion(kind, key, val):
		b.err = fmt.Errorf("%w: %s/%s is written by migrations only", ErrBatch, Meta, VersionKey)
	}
	if b.err != nil {
		return
	}
	b.buf = appendOp(b.buf, op{kind: kind, bucket: bucket, key: key, val: val})
	b.n++
}

func touchesVersion(kind byte, key, val []byte) bool {
	v := []byte(VersionKey)
	switch kind {
	case opPut, opDelete:
		return bytes.Equal(key, v)
	case opDeleteFrom:
		return bytes.Compare(key, v) <= 0
	default:
		return bytes.Compare(key, v) <= 0 && bytes.Compare(v, val) < 0
	}
}

// op is one decoded operation; its slices point into the encoding.
type op struct {
	kind     byte
	bucket   Bucket
	key, val []byte
}

// opOverhead is the size in bytes of an operation without its bucket, key and value.
const opOverhead = 1 + 1 + 2 + 4

// appendOp appends the one encoding of o:
//
//	kind 1 B ‖ len(bucket) 1 B ‖ bucket ‖ len(key) uint16 BE ‖ key ‖ len(value) uint32 BE ‖ value
//
// where key and value are from and to for a range, and value is empty unless
// the kind has one.
func appendOp(dst []byte, o op) []byte {
	dst = append(dst, o.kind, byte(len(o.bucket)))
	dst = append(dst, o.bucket...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(o.key)))
	dst = append(dst, o.key...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(o.val)))
	return append(dst, o.val...)
}

// decodeOp takes one operation off the front of src. Any bytes are safe.
func decodeOp(src []byte) (o op, rest []byte, err error) {
	bad := func(what string) (op, []byte, error) {
		return op{}, nil, fmt.Errorf("operation: %s", what)
	}
	if len(src) < 2 {
		return bad("short head")
	}
	o.kind = src[0]
	if o.kind < opPut || o.kind > opDeleteFrom {
		return bad("unknown kind")
	}
	n := int(src[1])
	if src = src[2:]; n == 0 || len(src) < n+2 {
		return bad("short bucket")
	}
	if o.bucket, src = bucketOf(src[:n]), src[n:]; !o.bucket.known() {
		return bad("unknown bucket")
	}
	n = int(binary.BigEndian.Uint16(src))
	if src = src[2:]; len(src) < n+4 {
		return bad("short key")
	}
	if o.key, src = src[:n:n], src[n:]; n > MaxKeyBytes || n == 0 && o.kind <= opDelete {
		return bad("key length")
	}
	v := uint64(binary.BigEndian.Uint32(src))
	if src = src[4:]; uint64(len(src)) < v {
		return bad("short value")
	}
	if v != 0 && (o.kind == opDelete || o.kind == opDeleteFrom) || o.kind == opDeleteRange && v > MaxKeyBytes {
		return bad("value length")
	}
	o.val, rest = src[:v:v], src[v:]
	return o, rest, nil
}

// bucketOf returns the bucket named by raw, without allocating for known ones.
func bucketOf(raw []byte) Bucket {
	switch string(raw) {
	case string(Raft):
		return Raft
	case string(Decisions):
		return Decisions
	case string(Outbox):
		return Outbox
	}
	return Bucket(raw)
}
