package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"warren/rooms"
	"warren/rooms/archive"
	"warren/rooms/errs"
)

// Limits of what an import gives to a copy at once: the copy serves others in between.
const (
	importChunk      = 64
	importChunkBytes = 1 << 20
)

// Errors of Import.
var (
	ErrForeign   = errors.New("the file is of another network")
	ErrGivenUp   = errors.New("the file goes on where the room was started anew")
	errChanged   = errors.New("other nodes control the room by now than when the file was written, so the state that it begins with cannot be shown to be right here: have this node fetch the room from them")
	errAhead     = errors.New("it names a version of the directory that this node does not have")
	errEndedRoom = fmt.Errorf("the room was closed, and its name may belong to another one now: %w", errs.Closed)
)

// Fork is two certified headers at one place of one room: what cannot be while no more controllers lie than the room bears. Whoever signed both
// is a traitor.
type Fork struct {
	Here, There Certified // on this node's disk; in the file
}

// Certified is a header with the certificate of its controllers; without one it is a tick's, and a later header that names it is certified.
type Certified struct {
	Header rooms.Header
	Cert   rooms.Certificate
}

func (f *Fork) Error() string {
	return fmt.Sprintf("the file and this node hold different headers of height %d, both certified: %s there, %s here",
		f.Here.Header.Height, f.There.Header.Hash(), f.Here.Header.Hash())
}

// Both returns who signed both headers, sorted.
func (f *Fork) Both() []rooms.NodeID {
	var out []rooms.NodeID
	for _, a := range f.Here.Cert {
		for _, b := range f.There.Cert {
			if a.Node == b.Node {
				out = append(out, a.Node)
			}
		}
	}
	return out
}

// Imported is what an import brought.
type Imported struct {
	Room     rooms.RoomID
	Name     string // without '#'
	Had, Has uint64 // the copy's height before and after
}

// Import takes in what an archive holds and this node lacks, of the directory and then of the room, as if other nodes had pushed it: each decision
// is checked before it is applied. The host must have been started. What was taken in before an error stays: it is certified. Where the file begins with
// a state, and this node's copy is not that far, it takes the state over, and what the file holds of the time before.
//
// Heights that are here already are only compared. So that a *Fork is the proof that it seems to be, the file must have passed archive.Verify.
//
// Errors: ErrForeign; a *Fork; ErrGivenUp; errs.Closed for a room that is closed, here or in the directory; those of the file and of ctx.
func (h *Host) Import(ctx context.Context, file io.Reader) (Imported, error) {
	in, err := archive.NewReader(file)
	if err != nil {
		return Imported{}, err
	}
	head := in.Head()
	out := Imported{Room: head.Room}
	if head.Genesis.ID() != h.cfg.Genesis.ID() {
		return out, fmt.Errorf("%w, %q (%s); this node is of %q (%s)", ErrForeign, head.Genesis.Name, head.Genesis.ID().Short(), h.cfg.Genesis.Name, h.cfg.Genesis.ID().Short())
	}
	imp := importer{ctx: ctx, r: h.dir}
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) || err == nil && rec.Kind == archive.KindState {
			if err = imp.flushPast(); err == nil {
				err = imp.flush()
			}
		}
		if err == nil && (rec.Kind == archive.KindRoom || rec.Kind == archive.KindProof) && imp.r == h.dir {
			if err = imp.flush(); err == nil {
				imp.r, err = h.importable(head.Room, &out)
			}
		}
		if err == nil && rec.Kind == archive.KindRoom {
			err = imp.flushPast()
		}
		switch {
		case err != nil:
		case rec.Kind == archive.KindProof:
			imp.proof = rec.Proof
		case rec.Kind == archive.KindStart:
			err = imp.begin(rec.Bytes)
		case rec.Kind == archive.KindPast:
			err = imp.addPast(fetched{rec.Decision, rec.Bytes})
		case rec.Decision != nil:
			err = imp.add(rec.Decision, len(rec.Bytes))
		}
		switch {
		case err != nil:
			return out, err
		case rec.Kind == archive.KindEnd:
			out.Has, _ = imp.r.Head()
			return out, nil
		}
	}
}

// importable returns the copy that an import is for.
func (h *Host) importable(id rooms.RoomID, out *Imported) (*Replica, error) {
	r, err := h.hold(id)
	if errors.Is(err, errs.NotFound) {
		return nil, errEndedRoom // the file's directory founds it, and this node's directory goes at least as far
	}
	if err != nil {
		return nil, err
	}
	closed := false
	r.View(func(s *rooms.State) { out.Name, closed = s.Name, s.Closed })
	if closed {
		return nil, errEndedRoom
	}
	out.Had, _ = r.Head()
	return r, nil
}

// importer gives decisions to a copy, some at a time.
type importer struct {
	ctx   context.Context
	r     *Replica
	chunk []*rooms.Decision
	bytes int
	proof *rooms.Proof
	past  []fetched // descending
}

func (i *importer) add(d *rooms.Decision, size int) error {
	i.chunk = append(i.chunk, d)
	if i.bytes += size; len(i.chunk) < importChunk && i.bytes < importChunkBytes {
		return nil
	}
	return i.flush()
}

// flush compares the decisions that the copy has, and has it take the others.
func (i *importer) flush() error {
	for len(i.chunk) > 0 {
		if err := i.ctx.Err(); err != nil {
			return err
		}
		n, err := i.compare()
		if err != nil {
			return err
		}
		i.chunk = i.chunk[n:]
		if n, err = i.take(); err != nil {
			return err
		}
		i.chunk = i.chunk[n:]
	}
	i.bytes = 0
	return nil
}

// compare looks at the decisions of the chunk that are here already, and returns how many these are.
func (i *importer) compare() (n int, err error) {
	have, _ := i.r.Head()
	for n < len(i.chunk) && i.chunk[n].Header.Height <= have {
		n++
	}
	if n == 0 {
		return 0, nil
	}
	return n, i.compareWith(i.chunk[:n])
}

// compareWith compares decisions that follow each other with what the disk holds at their heights.
func (i *importer) compareWith(known []*rooms.Decision) error {
	list, err := i.r.decisions(known[0].Low(), known[len(known)-1].Header.Height)
	if err != nil {
		return err
	}
	for j := range list {
		here, at := &list[j].Header, 0
		for at < len(known)-1 && known[at].Header.Height < here.Height {
			at++
		}
		header, ok := known[at].HeaderAt(here.Height)
		there := &header
		if !ok || here.Hash() == there.Hash() {
			continue
		}
		if here.Epoch != there.Epoch {
			return fmt.Errorf("%w: at height %d it is in epoch %d, the room here in epoch %d", ErrGivenUp, there.Height, there.Epoch, here.Epoch)
		}
		fork := &Fork{Here: Certified{*here, list[j].Cert}, There: Certified{*there, known[at].Cert}}
		if there.Height != known[at].Header.Height {
			fork.There.Cert = nil
		}
		return fork
	}
	return nil
}

// take has the copy's goroutine apply the chunk, and returns how far it came: the copy may have got some of it from elsewhere meanwhile.
func (i *importer) take() (n int, err error) {
	chunk, r := i.chunk, i.r
	gone := r.do(func() {
		for n = 0; n < len(chunk) && chunk[n].Header.Height > r.chain.Height; n++ {
			if err = r.takeIn(chunk[n]); err != nil {
				err = fmt.Errorf("decision %d: %w", chunk[n].Header.Height, err)
				return
			}
		}
		r.applyHeld()
	})
	if errors.Is(gone, errs.Closed) {
		i.r, gone = r.h.hold(r.id) // it was closed because nobody needed it
		return 0, gone
	}
	if gone != nil {
		return 0, gone
	}
	return n, err
}

// takeIn applies a decision that must be the next one, if it is as it should be.
func (r *Replica) takeIn(d *rooms.Decision) error {
	if r.broken != nil {
		return r.broken
	}
	if err := r.chain.Check(d); err != nil {
		return err
	}
	if !r.ready(d) {
		return errAhead
	}
	r.lastUse = time.Now()
	r.apply(d, false)
	return r.broken
}
