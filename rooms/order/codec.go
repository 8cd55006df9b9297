package order

import (
	"math"

	"warren/rooms"
	"warren/rooms/canon"
)

// What goes to and fro, and onto the disk, with each batch is encoded and decoded by hand; everything else by rooms.Marshal and rooms.Unmarshal. The
// bytes are the same; TestCodecByHand holds both against each other.

// Fewest bytes of an encoding: bounds what a length may claim.
const (
	leastEntry     = 5
	leastSignature = 36
)

// maxListed is how many elements of an array rooms.Unmarshal takes.
const maxListed = 1 << 17

// encode returns the envelope's canonical encoding.
func (e *envelope) encode() []byte {
	size := 192
	switch {
	case e.Raft != nil && e.Raft.Snapshot == nil && e.only(true, false, false):
		for i := range e.Raft.Entries {
			size += 32 + len(e.Raft.Entries[i].Data)
		}
	case e.Sign != nil && e.only(false, true, false):
	case e.Cert != nil && e.only(false, false, true):
		size += 104 * len(e.Cert.Cert)
	default:
		return rooms.Marshal(e)
	}
	dst := canon.AppendArray(make([]byte, 0, size), 15)
	dst = canon.AppendUint(dst, uint64(e.Version))
	dst = appendPart(dst, e.Raft, appendRaft)
	dst = appendPart(dst, e.Sign, appendSign)
	dst = appendPart(dst, e.Cert, appendCert)
	for range 5 {
		dst = canon.AppendNull(dst) // Ask to Commit
	}
	dst = canon.AppendUint(dst, e.Ended)
	for range 5 {
		dst = canon.AppendNull(dst) // Submit to Yield
	}
	return dst
}

// only reports whether the envelope holds these parts and no other.
func (e *envelope) only(raft, sign, cert bool) bool {
	return (e.Raft != nil) == raft && (e.Sign != nil) == sign && (e.Cert != nil) == cert && e.Ask == nil && e.Head == nil && e.Hello == nil &&
		e.Bye == nil && e.Commit == nil && e.Submit == nil && e.Accuse == nil && e.Mark == nil && e.Proof == nil && e.Yield == nil
}

// decode is rooms.Unmarshal for an envelope: first as one of the usual kinds, by hand.
func (e *envelope) decode(data []byte) error {
	var usual envelope
	if usual.decodeUsual(data) {
		*e = usual
		return nil
	}
	return rooms.Unmarshal(data, e)
}

// decodeUsual reads what encode writes by hand; false: it is something else.
func (e *envelope) decodeUsual(data []byte) bool {
	r := canon.NewReader(data)
	r.Fields(15)
	e.Version = uint8(r.Uint(math.MaxUint8))
	e.Raft = part(&r, readRaft)
	e.Sign = part(&r, readSign)
	e.Cert = part(&r, readCert)
	for range 5 {
		absent(&r)
	}
	e.Ended = r.Uint(math.MaxUint64)
	for range 5 {
		absent(&r)
	}
	return r.Done()
}

func appendPart[T any](dst []byte, v *T, f func([]byte, *T) []byte) []byte {
	if v == nil {
		return canon.AppendNull(dst)
	}
	return f(dst, v)
}

func part[T any](r *canon.Reader, f func(*canon.Reader, *T)) *T {
	if r.Null() {
		return nil
	}
	v := new(T)
	f(r, v)
	return v
}

func absent(r *canon.Reader) {
	if !r.Null() {
		r.Fail()
	}
}

func appendRaft(dst []byte, m *raftMessage) []byte {
	dst = canon.AppendArray(dst, 12)
	dst = canon.AppendUint(dst, uint64(m.Type))
	dst = canon.AppendUint(dst, m.From)
	dst = canon.AppendUint(dst, m.To)
	dst = canon.AppendUint(dst, m.Term)
	dst = canon.AppendUint(dst, m.LogTerm)
	dst = canon.AppendUint(dst, m.Index)
	dst = canon.AppendUint(dst, m.Commit)
	dst = canon.AppendList(dst, m.Entries, appendEntry)
	dst = canon.AppendBool(dst, m.Reject)
	dst = canon.AppendUint(dst, m.RejectHint)
	dst = canon.AppendBool(dst, m.Force)
	return canon.AppendNull(dst)
}

func readRaft(r *canon.Reader, m *raftMessage) {
	r.Fields(12)
	m.Type = uint8(r.Uint(math.MaxUint8))
	m.From = r.Uint(math.MaxUint64)
	m.To = r.Uint(math.MaxUint64)
	m.Term = r.Uint(math.MaxUint64)
	m.LogTerm = r.Uint(math.MaxUint64)
	m.Index = r.Uint(math.MaxUint64)
	m.Commit = r.Uint(math.MaxUint64)
	m.Entries = canon.List(r, maxListed, leastEntry, readEntry)
	m.Reject = r.Bool()
	m.RejectHint = r.Uint(math.MaxUint64)
	m.Force = r.Bool()
	absent(r) // a snapshot mark is not usual
}

func appendEntry(dst []byte, e *Entry) []byte {
	dst = canon.AppendArray(dst, 4)
	dst = canon.AppendUint(dst, e.Index)
	dst = canon.AppendUint(dst, e.Term)
	dst = canon.AppendUint(dst, uint64(e.Type))
	return canon.AppendBytes(dst, e.Data)
}

func readEntry(r *canon.Reader, e *Entry) {
	r.Fields(4)
	e.Index = r.Uint(math.MaxUint64)
	e.Term = r.Uint(math.MaxUint64)
	e.Type = uint8(r.Uint(math.MaxUint8))
	e.Data = r.Bytes()
}

func appendSign(dst []byte, m *signMessage) []byte {
	dst = canon.AppendArray(dst, 4)
	dst = canon.AppendUint(dst, m.Height)
	dst = canon.AppendID(dst, (*[32]byte)(&m.Header))
	dst = canon.AppendBytes(dst, m.Sig)
	return canon.AppendBool(dst, m.Again)
}

func readSign(r *canon.Reader, m *signMessage) {
	r.Fields(4)
	m.Height = r.Uint(math.MaxUint64)
	r.ID((*[32]byte)(&m.Header))
	m.Sig = r.Bytes()
	m.Again = r.Bool()
}

func appendCert(dst []byte, m *certMessage) []byte {
	dst = canon.AppendArray(dst, 3)
	dst = canon.AppendUint(dst, m.Height)
	dst = canon.AppendID(dst, (*[32]byte)(&m.Header))
	return canon.AppendList(dst, m.Cert, func(dst []byte, s *rooms.Signature) []byte {
		dst = canon.AppendArray(dst, 2)
		dst = canon.AppendID(dst, (*[32]byte)(&s.Node))
		return canon.AppendBytes(dst, s.Sig)
	})
}

func readCert(r *canon.Reader, m *certMessage) {
	r.Fields(3)
	m.Height = r.Uint(math.MaxUint64)
	r.ID((*[32]byte)(&m.Header))
	m.Cert = canon.List(r, maxListed, leastSignature, func(r *canon.Reader, s *rooms.Signature) {
		r.Fields(2)
		r.ID((*[32]byte)(&s.Node))
		s.Sig = r.Bytes()
	})
}

// Encode returns the record's canonical encoding.
func (r *Record) Encode() []byte {
	size := 64
	switch {
	case r.Born != nil || r.Snapshot != nil:
		return rooms.Marshal(r)
	case r.Entry != nil:
		size += len(r.Entry.Data)
	}
	dst := canon.AppendArray(make([]byte, 0, size), 5)
	dst = canon.AppendNull(canon.AppendNull(dst))
	dst = appendPart(dst, r.Entry, appendEntry)
	dst = appendPart(dst, r.Hard, func(dst []byte, h *Hard) []byte {
		dst = canon.AppendArray(dst, 3)
		dst = canon.AppendUint(dst, h.Term)
		dst = canon.AppendUint(dst, h.Vote)
		return canon.AppendUint(dst, h.Commit)
	})
	return appendPart(dst, r.Signed, func(dst []byte, s *Signed) []byte {
		dst = canon.AppendArray(dst, 4)
		dst = canon.AppendUint(dst, s.Epoch)
		dst = canon.AppendUint(dst, s.Height)
		dst = canon.AppendID(dst, (*[32]byte)(&s.Header))
		return canon.AppendBool(dst, s.Change)
	})
}
