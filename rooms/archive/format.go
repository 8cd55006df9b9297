package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"warren/rooms"
)

// magic begins every file. The digit is the version of the layout.
const magic = "warrenA1"

// Kind says what a record holds. Numbers are in files: only appended to.
type Kind uint8

// The kinds of records, in the order in which they stand in a file.
const (
	KindHead      Kind = 1 // Head; one
	KindDirectory Kind = 2 // a rooms.Decision of the directory; Head.Dir of them, from height 1 on
	KindRoom      Kind = 3 // a rooms.Decision of the room, from height Head.Base + 1 on up to Head.Height
	KindState     Kind = 4 // the rooms.ChainSnapshot at the room's last height; one
	KindEnd       Kind = 5 // SHA-256 of all bytes before this record; one

	// Of a room that has let its early decisions go; they stand between the directory's decisions and the room's.
	KindProof Kind = 6 // rooms.Proof of the header at Head.Base; one if that is not 0
	KindStart Kind = 7 // the rooms.ChainSnapshot there; one
	KindPast  Kind = 8 // a rooms.Decision of the room; Head.Past of them, from height Head.Base downwards
)

// Limits of a record's bytes. They bound memory for files that come from anybody.
const (
	maxHead     = 4 << 10
	maxDecision = rooms.MaxBatch + rooms.MaxRequest + 64<<10 // a full batch, and its header and certificate
	maxProof    = (rooms.MaxChanges + 1) * maxDecision       // its headers take less than one decision
	maxState    = 64 << 20                                   // the largest state that a room's own limits allow, with room to spare
	frameBytes  = 5                                          // kind and length
)

// Head is the first record: what the file is of.
type Head struct {
	_       struct{} `cbor:",toarray"`
	Genesis rooms.Genesis
	Room    rooms.RoomID
	Dir     uint64     // height up to which the directory's log is in the file: at least the newest that a header names
	Height  uint64     // of the room's last decision in the file
	Last    rooms.Hash // hash of the header at Height; the room's id at height 0
	Base    uint64     // height of the state that the room's log begins with; 0: its founding
	Past    uint64     // decisions up to Base that are in the file too
}

// Errors of a file's form.
var (
	ErrNotArchive = errors.New("not a room's archive")
	ErrCutShort   = errors.New("the file is cut short")
	ErrOrder      = errors.New("a record stands where another one belongs")
	ErrSum        = errors.New("the digest at its end is not that of the file")
	ErrTrailing   = errors.New("bytes stand behind the end")
	errTooLong    = errors.New("a record is longer than any can be")
)

// Writer writes a file. Its methods must be called in the order of the kinds; End writes the last record. The first error stays.
type Writer struct {
	w   io.Writer
	sum hash.Hash
	err error
}

// NewWriter writes the beginning of a file to w.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	out := &Writer{w: w, sum: sha256.New()}
	out.bytes([]byte(magic))
	return out, out.record(KindHead, rooms.Marshal(h))
}

// Directory writes the next decision of the directory, encoded.
func (w *Writer) Directory(decision []byte) error { return w.record(KindDirectory, decision) }

// Start writes the proof of the header at Head.Base, and the room's encoded snapshot there.
func (w *Writer) Start(p *rooms.Proof, snapshot []byte) error {
	_ = w.record(KindProof, rooms.Marshal(p)) // its error stays
	return w.record(KindStart, snapshot)
}

// Past writes the next lower decision of the room, encoded; the first one is that of Head.Base.
func (w *Writer) Past(decision []byte) error { return w.record(KindPast, decision) }

// Room writes the next decision of the room, encoded.
func (w *Writer) Room(decision []byte) error { return w.record(KindRoom, decision) }

// End writes the room's encoded snapshot at its last height, and the end.
func (w *Writer) End(snapshot []byte) error {
	_ = w.record(KindState, snapshot) // its error stays
	return w.record(KindEnd, w.sum.Sum(nil))
}

func (w *Writer) record(k Kind, body []byte) error {
	w.bytes(binary.BigEndian.AppendUint32([]byte{byte(k)}, uint32(len(body))))
	w.bytes(body)
	return w.err
}

func (w *Writer) bytes(b []byte) {
	if w.err != nil {
		return
	}
	w.sum.Write(b)
	if _, err := w.w.Write(b); err != nil {
		w.err = fmt.Errorf("write archive: %w", err)
	}
}
