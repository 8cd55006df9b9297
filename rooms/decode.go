package rooms

import (
	"math"

	"warren/rooms/canon"
)

// maxNumber bounds a number that has no smaller bound.
const maxNumber = math.MaxUint64

// Fewest bytes of an encoding: bounds what a length may claim.
const (
	leastRequest   = 77
	leastSignature = 36
	leastTick      = 37
)

func readHash(r *canon.Reader, h *Hash)   { r.ID((*[32]byte)(h)) }
func readNode(r *canon.Reader, n *NodeID) { r.ID((*[32]byte)(n)) }

func readRequest(r *canon.Reader, v *Request) {
	r.Fields(10)
	readHash(r, &v.Room)
	v.Account = r.Text()
	v.Nick = r.Text()
	readNode(r, &v.Device)
	v.Counter = r.Uint(maxNumber)
	v.Dir = r.Uint(maxNumber)
	v.Op = Op(r.Uint(math.MaxUint16))
	v.Body = r.Bytes()
	v.Epoch = r.Uint(maxNumber)
	v.Sig = r.Bytes()
}

func readBatch(r *canon.Reader, v *Batch) {
	r.Fields(8)
	v.Epoch = r.Uint(maxNumber)
	v.Term = r.Uint(maxNumber)
	v.Height = r.Uint(maxNumber)
	v.Time = r.Int()
	v.Dir = r.Uint(maxNumber)
	readNode(r, &v.Leader)
	v.Requests = canon.List(r, maxItems, leastRequest, readRequest)
	v.Sig = r.Bytes()
}

func readHeader(r *canon.Reader, v *Header) {
	r.Fields(10)
	readHash(r, &v.Room)
	v.Epoch = r.Uint(maxNumber)
	v.Height = r.Uint(maxNumber)
	readHash(r, &v.Prev)
	v.Time = r.Int()
	v.Dir = r.Uint(maxNumber)
	v.Seq = r.Uint(maxNumber)
	readHash(r, &v.Payload)
	readHash(r, &v.Verdicts)
	readHash(r, &v.State)
}

func readSignature(r *canon.Reader, v *Signature) {
	r.Fields(2)
	readNode(r, &v.Node)
	v.Sig = r.Bytes()
}

func readDecision(r *canon.Reader, v *Decision) {
	r.Fields(5)
	readHeader(r, &v.Header)
	readBatch(r, &v.Batch)
	v.Verdicts = r.Bytes()
	v.Cert = canon.List(r, maxItems, leastSignature, readSignature)
	if v.Ticks = nil; r.Null() {
		return
	}
	v.Ticks = &Ticks{}
	r.Fields(2)
	readHash(r, &v.Ticks.Prev)
	v.Ticks.List = canon.List(r, maxItems, leastTick, readTick)
}

func readTick(r *canon.Reader, v *Tick) {
	r.Fields(3)
	v.Time = r.Int()
	v.Dir = r.Uint(maxNumber)
	readHash(r, &v.Payload)
}

// readByHand decodes what byHand encodes; known is false when v is of another type. After bad bytes v holds a part of them.
func readByHand(data []byte, v any) (known, good bool) {
	r := canon.NewReader(data)
	switch v := v.(type) {
	case *Request:
		readRequest(&r, v)
	case *Batch:
		readBatch(&r, v)
	case *Header:
		readHeader(&r, v)
	case *Signature:
		readSignature(&r, v)
	case *Decision:
		readDecision(&r, v)
	default:
		return false, false
	}
	return true, r.Done()
}
