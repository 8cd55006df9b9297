package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"warren/rooms"
)

// Record is one part of a file behind its head.
type Record struct {
	Kind     Kind
	Offset   int64           // of its first byte in the file
	Decision *rooms.Decision // KindDirectory, KindRoom, KindPast: decoded, but nothing of it is checked
	Proof    *rooms.Proof    // KindProof: the same
	Bytes    []byte          // the record's body, encoded
}

// Reader reads a file record by record. It sees to it that the file has its form, its records their order, and that the digest at the end is the
// right one; what the records say is Verify's subject.
type Reader struct {
	r    io.Reader
	sum  hash.Hash
	at   int64 // bytes read
	head Head
	dirs uint64 // decisions of the directory read
	past uint64 // of the room's past
	room uint64 // height of the room's last one
	last Kind
}

// NewReader reads the head. Errors: ErrNotArchive, ErrCutShort and others of a file's form, and those of r.
func NewReader(r io.Reader) (*Reader, error) {
	in := &Reader{r: r, sum: sha256.New()}
	got := make([]byte, len(magic))
	switch err := in.full(got); {
	case errors.Is(err, ErrCutShort), err == nil && string(got) != magic:
		return nil, ErrNotArchive
	case err != nil:
		return nil, err
	}
	kind, size, err := in.frame()
	switch {
	case err != nil:
		return nil, err
	case kind != KindHead:
		return nil, ErrOrder
	}
	body, err := in.body(size, maxHead)
	if err != nil {
		return nil, err
	}
	if err := rooms.Unmarshal(body, &in.head); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	if in.head.Past > in.head.Base || in.head.Base > in.head.Height {
		return nil, fmt.Errorf("head: a log from height %d to %d with %d decisions below", in.head.Base, in.head.Height, in.head.Past)
	}
	in.last, in.room = KindHead, in.head.Base
	return in, nil
}

// Head returns what the file says of itself. Nothing of it is checked.
func (r *Reader) Head() Head { return r.head }

// Next reads the next record, up to the state; io.EOF when the file has come to its end and the digest there was right.
func (r *Reader) Next() (Record, error) {
	if r.last == KindEnd {
		return Record{}, io.EOF
	}
	rec := Record{Offset: r.at}
	var sum []byte
	if r.due() == KindEnd {
		sum = r.sum.Sum(nil)
	}
	kind, size, err := r.frame()
	if err != nil {
		return rec, err
	}
	if rec.Kind = kind; kind != r.due() {
		return rec, fmt.Errorf("%w: kind %d instead of %d", ErrOrder, kind, r.due())
	}
	limit := uint32(maxDecision)
	switch kind {
	case KindState, KindStart:
		limit = maxState
	case KindProof:
		limit = maxProof
	case KindEnd:
		limit = sha256.Size
	}
	if rec.Bytes, err = r.body(size, limit); err != nil {
		return rec, err
	}
	r.last = kind
	switch kind {
	case KindProof:
		rec.Proof = &rooms.Proof{}
		return rec, rooms.Unmarshal(rec.Bytes, rec.Proof)
	case KindDirectory, KindRoom, KindPast:
		d := &rooms.Decision{}
		rec.Decision, err = d, rooms.Unmarshal(rec.Bytes, d)
		switch covers := d.Header.Height + 1 - d.Low(); kind {
		case KindDirectory:
			r.dirs++
		case KindPast:
			r.past += covers
		case KindRoom:
			r.room += covers
		}
		return rec, err
	case KindEnd:
		if !bytes.Equal(rec.Bytes, sum) {
			return rec, ErrSum
		}
		if err := r.nothingMore(); err != nil {
			return rec, err
		}
		return rec, io.EOF
	}
	return rec, nil
}

// due returns the kind of record that must come next.
func (r *Reader) due() Kind {
	switch {
	case r.dirs < r.head.Dir:
		return KindDirectory
	case r.head.Base > 0 && (r.last == KindHead || r.last == KindDirectory):
		return KindProof
	case r.last == KindProof:
		return KindStart
	case r.past < r.head.Past:
		return KindPast
	case r.room < r.head.Height:
		return KindRoom
	case r.last != KindState:
		return KindState
	}
	return KindEnd
}

func (r *Reader) nothingMore() error {
	var one [1]byte
	switch _, err := io.ReadFull(r.r, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return ErrTrailing
}

func (r *Reader) frame() (Kind, uint32, error) {
	var f [frameBytes]byte
	if err := r.full(f[:]); err != nil {
		return 0, 0, err
	}
	return Kind(f[0]), binary.BigEndian.Uint32(f[1:]), nil
}

// body reads size bytes. Memory grows with what is there, not with what is claimed.
func (r *Reader) body(size, limit uint32) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("%w: %d bytes", errTooLong, size)
	}
	var b bytes.Buffer
	n, err := io.CopyN(&b, r.r, int64(size))
	r.at += n
	r.sum.Write(b.Bytes())
	if errors.Is(err, io.EOF) {
		err = ErrCutShort
	}
	return b.Bytes(), err
}

func (r *Reader) full(b []byte) error {
	n, err := io.ReadFull(r.r, b)
	r.at += int64(n)
	r.sum.Write(b[:n])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCutShort
	}
	return err
}
