package rooms

import "warren/rooms/canon"

// What is encoded and hashed for each message, on every node and several times, is encoded by hand here: reflection over arrays of bytes takes
// ten times as long. The bytes are those that encMode gives; TestEncodeByHand holds both against each other.

func appendHash(dst []byte, h *Hash) []byte   { return canon.AppendID(dst, (*[32]byte)(h)) }
func appendNode(dst []byte, n *NodeID) []byte { return canon.AppendID(dst, (*[32]byte)(n)) }

func appendRequest(dst []byte, r *Request) []byte {
	dst = canon.AppendBytes(appendWish(canon.AppendArray(dst, 10), r), r.Body)
	return canon.AppendBytes(canon.AppendUint(dst, r.Epoch), r.Sig)
}

// appendUnsigned appends what a request's id is the hash of: all but epoch and signature, with the body's hash for the body.
func appendUnsigned(dst []byte, r *Request, body *Hash) []byte {
	return appendHash(appendWish(canon.AppendArray(dst, 8), r), body)
}

// appendWish appends the fields before the body.
func appendWish(dst []byte, r *Request) []byte {
	dst = appendHash(dst, &r.Room)
	dst = canon.AppendText(dst, r.Account)
	dst = canon.AppendText(dst, r.Nick)
	dst = appendNode(dst, &r.Device)
	dst = canon.AppendUint(dst, r.Counter)
	dst = canon.AppendUint(dst, r.Dir)
	return canon.AppendUint(dst, uint64(r.Op))
}

func appendBatch(dst []byte, b *Batch) []byte {
	dst = canon.AppendArray(dst, 8)
	dst = canon.AppendUint(dst, b.Epoch)
	dst = canon.AppendUint(dst, b.Term)
	dst = canon.AppendUint(dst, b.Height)
	dst = canon.AppendInt(dst, b.Time)
	dst = canon.AppendUint(dst, b.Dir)
	dst = appendNode(dst, &b.Leader)
	dst = canon.AppendList(dst, b.Requests, appendRequest)
	return canon.AppendBytes(dst, b.Sig)
}

// appendMark appends what the leader of a batch signs.
func appendMark(dst []byte, m *Mark) []byte {
	dst = canon.AppendArray(dst, 8)
	dst = appendHash(dst, &m.Room)
	dst = canon.AppendUint(dst, m.Epoch)
	dst = canon.AppendUint(dst, m.Term)
	dst = canon.AppendUint(dst, m.Height)
	dst = canon.AppendInt(dst, m.Time)
	dst = canon.AppendUint(dst, m.Dir)
	dst = appendNode(dst, &m.Leader)
	return appendHash(dst, &m.Requests)
}

func appendHeader(dst []byte, h *Header) []byte {
	dst = canon.AppendArray(dst, 10)
	dst = appendHash(dst, &h.Room)
	dst = canon.AppendUint(dst, h.Epoch)
	dst = canon.AppendUint(dst, h.Height)
	dst = appendHash(dst, &h.Prev)
	dst = canon.AppendInt(dst, h.Time)
	dst = canon.AppendUint(dst, h.Dir)
	dst = canon.AppendUint(dst, h.Seq)
	dst = appendHash(dst, &h.Payload)
	dst = appendHash(dst, &h.Verdicts)
	return appendHash(dst, &h.State)
}

func appendSignature(dst []byte, s *Signature) []byte {
	dst = canon.AppendArray(dst, 2)
	dst = appendNode(dst, &s.Node)
	return canon.AppendBytes(dst, s.Sig)
}

func appendDecision(dst []byte, d *Decision) []byte {
	dst = canon.AppendArray(dst, 5)
	dst = appendHeader(dst, &d.Header)
	dst = appendBatch(dst, &d.Batch)
	dst = canon.AppendBytes(dst, d.Verdicts)
	dst = canon.AppendList(dst, d.Cert, appendSignature)
	if d.Ticks == nil {
		return canon.AppendNull(dst)
	}
	dst = appendHash(canon.AppendArray(dst, 2), &d.Ticks.Prev)
	return canon.AppendList(dst, d.Ticks.List, appendTick)
}

func appendTick(dst []byte, t *Tick) []byte {
	dst = canon.AppendInt(canon.AppendArray(dst, 3), t.Time)
	return appendHash(canon.AppendUint(dst, t.Dir), &t.Payload)
}

// Sizes in bytes of an encoding without its requests, texts and signatures: what to set aside at first.
const (
	requestFrame  = 192
	batchFrame    = 160
	decisionFrame = 256

	signatureFrame = 128
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
	case *Signature:
		return appendSignature(make([]byte, 0, signatureFrame), v), true
	case *Decision:
		return appendDecision(make([]byte, 0, v.Batch.size()+2*decisionFrame+len(v.Verdicts)+128*len(v.Cert)), v), true
	}
	return nil, false
}
