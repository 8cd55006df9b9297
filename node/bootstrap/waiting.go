package bootstrap

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"warren/rooms"
)

// Limits of Waiting. Strangers fill it, so it is small, and who does not knock again is forgotten.
const (
	MaxWaiting  = 32
	WaitingTime = 2 * time.Minute // after the last knock

	maxHearsay = MaxWaiting / 2  // of these, known from other members only: a member that lies keeps nobody from knocking here
	passOn     = WaitingTime / 4 // a knock that goes on is passed on to the other members so often
)

// Newcomer is a node that knocked.
type Newcomer struct {
	ID    rooms.NodeID
	Name  string // what it wants to be called; not proven
	Label string // its host or site, as it says
	Addrs []string
	Code  string
	Since time.Time // first knock
	Last  time.Time // last knock, or word of it

	here   bool      // it knocked at this node
	passed time.Time // when the other members were told last
}

// What is wrong with a code, for errors.Is.
var (
	ErrNobody  = errors.New("nobody with this code is waiting: is `warren join` still running there, and does it show this code?")
	ErrCrowded = errors.New("too many nodes are waiting to be admitted: try again in a few minutes")
)

// Waiting is the list of nodes that knocked and wait for somebody to admit them. The zero value is empty. Not
// safe for concurrent use.
type Waiting struct{ list []Newcomer }

// Knock notes a knock at this node. tell: the other members should hear of it now (see Heard). It is ErrCrowded when the list is full of others.
func (w *Waiting) Knock(network [32]byte, id rooms.NodeID, r Request, now time.Time) (who Newcomer, tell bool, err error) {
	n, err := w.note(network, id, r, now, true)
	if err != nil {
		return Newcomer{}, false, err
	}
	if tell = now.Sub(n.passed) >= passOn; tell {
		n.passed = now
	}
	return *n, tell, nil
}

// Heard notes a knock at another member. It is ErrCrowded when there are too many such already.
func (w *Waiting) Heard(network [32]byte, id rooms.NodeID, r Request, now time.Time) error {
	_, err := w.note(network, id, r, now, false)
	return err
}

// note finds or adds the newcomer. here: it knocked at this node.
func (w *Waiting) note(network [32]byte, id rooms.NodeID, r Request, now time.Time, here bool) (*Newcomer, error) {
	w.forget(now)
	i := slices.IndexFunc(w.list, func(n Newcomer) bool { return n.ID == id })
	if i < 0 {
		if len(w.list) >= MaxWaiting || !here && w.hearsay() >= maxHearsay {
			return nil, ErrCrowded
		}
		w.list = append(w.list, Newcomer{ID: id, Code: Code(network, id), Since: now})
		i = len(w.list) - 1
	}
	n := &w.list[i]
	n.Name, n.Label, n.Addrs, n.Last, n.here = r.Name, r.Label, r.Addrs, now, n.here || here
	return n, nil
}

// hearsay counts those who are known from other members only.
func (w *Waiting) hearsay() (count int) {
	for _, n := range w.list {
		if !n.here {
			count++
		}
	}
	return count
}

// List returns who waits, the longest first.
func (w *Waiting) List(now time.Time) []Newcomer {
	w.forget(now)
	return slices.Clone(w.list)
}

// Find returns the newcomer with a code, as somebody typed it. When two of the same code wait, one of them cheats: both stay out.
func (w *Waiting) Find(typed string, now time.Time) (Newcomer, error) {
	code, err := NormalCode(typed)
	if err != nil {
		return Newcomer{}, fmt.Errorf("admit: %w", err)
	}
	w.forget(now)
	var found []Newcomer
	for _, n := range w.list {
		if n.Code == code {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		return Newcomer{}, fmt.Errorf("admit %s: %w", code, ErrNobody)
	}
	return found[0], nil
}

// Admitted takes a newcomer off the list: it waits no more.
func (w *Waiting) Admitted(id rooms.NodeID) {
	w.list = slices.DeleteFunc(w.list, func(n Newcomer) bool { return n.ID == id })
}

func (w *Waiting) forget(now time.Time) {
	w.list = slices.DeleteFunc(w.list, func(n Newcomer) bool { return now.Sub(n.Last) > WaitingTime })
}
