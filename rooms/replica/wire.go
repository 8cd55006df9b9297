package replica

import (
	"encoding/binary"
	"math"

	"warren/rooms"
	"warren/rooms/canon"
	"warren/rooms/errs"
)

// Kinds of frames between nodes. Numbers travel: only appended to.
const (
	frameOrder       = 1  // rooms/order's own message
	frameSubmit      = 2  // an encoded rooms.Request to be ordered
	frameAnswer      = 3  // answer: what became of it at once
	framePush        = 4  // a certified decision
	frameSubscribe   = 5  // subscribe: push to me
	frameHead        = 6  // head: how far the room is
	frameAskHead     = 7  // askHead
	frameRecruit     = 8  // the leader asks a node to hold the room and become a controller
	frameConsent     = 9  // consent: it does
	frameAsk         = 10 // ask for an endorsement
	frameEndorse     = 11 // the endorsement
	frameSignal      = 12 // an unordered signal to a node with occupants of a private room
	frameProvisional = 13 // an encoded rooms.Request that says something in a frozen room, to nodes with occupants
	frameRefer       = 14 // refer: the sender serves others already, or no more
	frameAskState    = 15 // askState: end the epoch, and say what you know
	frameStatement   = 16 // the rooms.Statement
	frameRescue      = 17 // a rooms.Rescue, which began an epoch of the directory
)

// frame is what travels on the stream between two nodes: which room, what, and its bytes.
type frame struct {
	_    struct{} `cbor:",toarray"`
	Room rooms.RoomID
	Kind uint8
	Data []byte
}

// encodeFrame is rooms.Marshal of a frame, by hand: it is around all that travels.
func encodeFrame(room rooms.RoomID, kind uint8, data []byte) []byte {
	dst := canon.AppendArray(make([]byte, 0, len(data)+48), 3)
	dst = canon.AppendID(dst, (*[32]byte)(&room))
	dst = canon.AppendUint(dst, uint64(kind))
	return canon.AppendBytes(dst, data)
}

// decodeFrame is rooms.Unmarshal of a frame, but for its data, which stay a part of the encoding.
func decodeFrame(data []byte) (f frame, ok bool) {
	r := canon.NewReader(data)
	r.Fields(3)
	r.ID((*[32]byte)(&f.Room))
	f.Kind = uint8(r.Uint(math.MaxUint8))
	f.Data = r.View()
	return f, r.Done()
}

type answer struct {
	_      struct{} `cbor:",toarray"`
	ID     rooms.Hash
	Kind   errs.Kind
	Leader rooms.NodeID // zero: not known
	Next   uint64       // the counter that can be ordered next, when Kind is Stale
}

// reader says on whose behalf a node wants to read; the channel proves the node.
type reader struct {
	_       struct{} `cbor:",toarray"`
	Account string
	Nick    string
}

type subscribe struct {
	_    struct{} `cbor:",toarray"`
	For  reader
	Have uint64 // height
	Stop bool
}

type head struct {
	_      struct{} `cbor:",toarray"`
	Height uint64
	Leader rooms.NodeID
	Nonce  uint64 // of the askHead it answers, or 0
	Denied bool   // the asker may not read the room, as far as the sender knows
	Sure   bool   // the sender leads the room: nothing above Height was acknowledged
}

// refer answers a subscribe that finds no place: ask one of these.
type refer struct {
	_      struct{} `cbor:",toarray"`
	Height uint64   // of the sender
	Nodes  []rooms.NodeID
}

type askHead struct {
	_     struct{} `cbor:",toarray"`
	For   reader
	Nonce uint64
}

type consent struct {
	_     struct{} `cbor:",toarray"`
	Since uint64
	C     rooms.Consent
}

type ask struct {
	_    struct{} `cbor:",toarray"`
	Kind string
	Body []byte // encoded NodeGone or Reconfigure without endorsements, or silentBody
}

type endorse struct {
	_     struct{} `cbor:",toarray"`
	Kind  string
	Thing rooms.Hash
	E     rooms.Endorsement
}

// What is pulled. Numbers travel: only appended to.
const (
	wantLog      = 0 // decisions: pulled
	wantProof    = 1 // the newest snapshot that can be shown to be right: proved
	wantSnapshot = 2 // a piece of it: piece
)

type pull struct {
	_     struct{} `cbor:",toarray"`
	Room  rooms.RoomID
	For   reader
	Want  uint8
	After uint64 // height: the log above it; the snapshot at it. For a proof: of the last change of controllers that the asker's directory shows
	Upto  uint64 // height up to which the log is wanted, 0: as far as there is; of a snapshot: the offset of the piece
}

type pulled struct {
	_         struct{} `cbor:",toarray"`
	Denied    bool
	Unknown   bool
	Height    uint64 // of the answerer
	Decisions [][]byte
	Floor     uint64 // the answerer has let go what is below; 1: nothing
}

type proved struct {
	_      struct{} `cbor:",toarray"`
	Denied bool
	Proof  *rooms.Proof // nil: there is no such snapshot
	Size   uint64       // bytes of it
}

type piece struct {
	_    struct{} `cbor:",toarray"`
	Data []byte   // empty: there is no more, or the snapshot has made way for a later one
}

func roomKey(room rooms.RoomID, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 40), room[:]...), n)
}

// after returns the first key behind all that begin with the room's id.
func after(room rooms.RoomID) []byte {
	k := append([]byte(nil), room[:]...)
	for i := len(k) - 1; i >= 0; i-- {
		if k[i]++; k[i] != 0 {
			return k
		}
	}
	return nil
}
