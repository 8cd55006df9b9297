package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"warren/rooms"
)

// Errors of what a file says.
var (
	ErrNetwork = errors.New("the file is of another network")
	errUnknown = errors.New("the directory in the file founds no such room")
	errHead    = errors.New("the head names another last header than the log ends with")
	errState   = errors.New("the state in the file is not what the log yields")
	errFuture  = errors.New("a header names a version of the directory that is not in the file")
	errStart   = errors.New("the proof is of another height than the head says")
)

// Defect is what is wrong with a file, and where. The first one ends the check: what stands behind it proves nothing.
type Defect struct {
	Offset int64  // of the record's first byte
	Kind   Kind   // of the record; 0: none could be read
	Height uint64 // of the decision, for records that hold one
	Err    error
}

func (d *Defect) Error() string {
	where := "the file"
	switch d.Kind {
	case KindDirectory:
		where = fmt.Sprintf("decision %d of the directory", d.Height)
	case KindRoom, KindPast:
		where = fmt.Sprintf("decision %d of the room", d.Height)
	case KindProof:
		where = "the proof of the state that the log begins with"
	case KindStart:
		where = "the state that the log begins with"
	case KindState:
		where = "the room's state"
	case KindEnd:
		where = "the end"
	}
	return fmt.Sprintf("byte %d, %s: %v", d.Offset, where, d.Err)
}

// Unwrap returns what is wrong.
func (d *Defect) Unwrap() error { return d.Err }

// Verify reads a whole file and checks all of it, from the genesis on: each header's place in its chain, the certificate's quorum of valid
// signatures of distinct controllers in force, the hashes of batch and verdicts; by running every batch, the requests' signatures and the
// verdicts themselves, the digests of the state, and at the end the state that the file holds. want is the id that the network must have; zero:
// any. The error is a *Defect, or ErrNetwork.
//
// Where a room has let its early decisions go, the room's part begins with a state that its controllers have signed. What the file holds of the time
// before is checked but not run: place, certificates, batch and verdict hashes, the requests' signatures; not whether the verdicts are right.
func Verify(r io.Reader, want rooms.Hash) (*Report, error) {
	in, err := NewReader(r)
	if err != nil {
		return nil, &Defect{Err: err}
	}
	head := in.Head()
	network := head.Genesis.ID()
	if !want.IsZero() && network != want {
		return nil, fmt.Errorf("%w: %s %q", ErrNetwork, network, head.Genesis.Name)
	}
	v := &verifier{head: head, dir: rooms.NewChain(head.Genesis.Directory(), rooms.NewDirectory(head.Genesis)), sets: map[uint64][]rooms.NodeID{}}
	v.report = Report{Genesis: head.Genesis, Network: network, Room: head.Room, Directory: head.Dir}
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) {
			return &v.report, nil
		}
		d := &Defect{Offset: rec.Offset, Kind: rec.Kind, Height: v.next(rec.Kind), Err: err}
		if err == nil {
			d.Err = v.take(rec)
		}
		if d.Err != nil {
			return nil, d
		}
	}
}

// verifier runs the two logs of a file.
type verifier struct {
	head   Head
	dir    *rooms.Chain
	room   *rooms.Chain // nil until the directory's log has been run
	proof  *rooms.Proof
	past   rooms.Descent
	sets   map[uint64][]rooms.NodeID // the controllers from each height on, as far as the directory was shown
	report Report
}

func (v *verifier) next(k Kind) uint64 {
	switch {
	case k == KindDirectory:
		return v.dir.Height + 1
	case k == KindRoom && v.room != nil:
		return v.room.Height + 1
	case k == KindPast:
		return v.past.Height
	}
	return 1
}

func (v *verifier) directory() *rooms.Directory { return v.dir.Machine.(*rooms.Directory) }

// found makes the room's chain as the directory's record of it founds it.
func (v *verifier) found() {
	if rec, ok := v.directory().Rooms[v.head.Room]; ok && v.room == nil {
		v.room = rooms.NewChain(rec.ID, rooms.NewState(rec))
		v.report.Name, v.report.Maker, v.report.Founded = rec.Name, rec.Maker, rec.Time
	}
}

func (v *verifier) take(rec Record) error {
	switch rec.Kind {
	case KindDirectory:
		if _, err := step(v.dir, rec.Decision, nil); err != nil {
			return err
		}
		v.found() // as soon as it is there: a room that was closed is forgotten by the directory
		if room, ok := v.directory().Rooms[v.head.Room]; ok {
			v.sets[room.Since] = room.Now
		}
		return nil
	case KindProof:
		room, ok := v.directory().Rooms[v.head.Room]
		switch {
		case !ok:
			return errUnknown
		case rec.Proof.Header.Height != v.head.Base:
			return errStart
		}
		v.proof = rec.Proof
		return v.proof.Check(&room)
	case KindStart:
		return v.begin(rec.Bytes)
	case KindPast:
		return v.below(rec.Decision)
	case KindRoom:
		if v.room == nil {
			return errUnknown
		}
		if v.room.Height == v.head.Base {
			v.room.Learn(v.directory().Now()) // of all epochs at once: the directory's part ends here
		}
		if rec.Decision.Header.Dir > v.dir.Height {
			return errFuture
		}
		events, err := step(v.room, rec.Decision, v.directory().At(rec.Decision.Header.Dir))
		if err == nil {
			v.report.count(rec.Decision, events)
		}
		return err
	}
	return v.end(rec.Bytes)
}

// begin takes the state that the room's log begins with, where it does not begin with the founding.
func (v *verifier) begin(snapshot []byte) error {
	c, err := rooms.RestoreAt(&v.proof.Header, snapshot)
	if err != nil {
		return err
	}
	v.room, v.past = c, rooms.NewDescent(c)
	v.report.Base, v.report.From = c.Height, c.Height+1
	return nil
}

// below takes the next lower decision below that state.
func (v *verifier) below(d *rooms.Decision) error {
	if d.Header.Dir > v.dir.Height {
		return errFuture
	}
	if err := v.past.Take(d, func(since uint64) []rooms.NodeID { return v.sets[since] }); err != nil {
		return err
	}
	if err := d.CheckAuthors(v.directory().At(d.Header.Dir), rooms.VerifySignature); err != nil {
		return err
	}
	v.report.From = d.Low()
	v.report.count(d, d.TalkEvents())
	return nil
}

// end checks that the logs end where the head says, and that the state is what they yield.
func (v *verifier) end(state []byte) error {
	switch {
	case v.room == nil:
		return errUnknown
	case v.room.Head != v.head.Last:
		return errHead
	case !bytes.Equal(v.room.Snapshot(), state):
		return errState
	}
	v.report.end(v.room)
	if v.report.Base == 0 {
		v.report.From = min(1, v.report.Height)
	}
	return nil
}

// step checks that the decision is the next one of the chain, and runs it.
func step(c *rooms.Chain, d *rooms.Decision, view rooms.View) ([]rooms.Event, error) {
	if err := c.Check(d); err != nil {
		return nil, err
	}
	return c.Accept(d, view, rooms.VerifySignature)
}
