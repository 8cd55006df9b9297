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
)

// Newcomer is a node that knocked.
type Newcomer struct {
	ID    rooms.NodeID
	Name  string // what it wants to be called; not proven
	Label string // its host or site, as it says
	Addrs []string
	Code  string
	Since time.Time // first knock
	Last  time.Time // last knock
}

// What is wrong with a code, for errors.Is.
var (
	ErrNobody  = errors.New("nobody with this code is waiting: is `warren join` still running there, and does it show this code?")
	ErrCrowded = errors.New("too many nodes are waiting to be admitted: try again in a few minutes")
)

// Waiting is the list of nodes that knocked and wait for somebody to admit them. The zero value is empty. Not
// safe for concurrent use.
type Waiting struct{ list []Newcomer }

// Knock notes a knock. It is ErrCrowded when the list is full of others.
func (w *Waiting) Knock(network [32]byte, id rooms.NodeID, r Request, now time.Time) (Newcomer, error) {
	w.forget(now)
	i := slices.IndexFunc(w.list, func(n Newcomer) bool { return n.ID == id })
	if i < 0 {
		if len(w.list) >= MaxWaiting {
			return Newcomer{}, ErrCrowded
		}
		w.list = append(w.list, Newcomer{ID: id, Code: Code(network, id), Since: now})
		i = len(w.list) - 1
	}
	n := &w.list[i]
	n.Name, n.Label, n.Addrs, n.Last = r.Name, r.Label, r.Addrs, now
	return *n, nil
}

// List returns who waits, the longest first.
func (w *Waiting) List(now time.Time) []Newcomer {
	w.forget(now)
	return slices.Clone(w.list)
}

// Take removes and returns the newcomer with a code, as somebody typed it. When two of the same code wait, one
// of them cheats: both stay out.
func (w *Waiting) Take(typed string, now time.Time) (Newcomer, error) {
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
	w.list = slices.DeleteFunc(w.list, func(n Newcomer) bool { return n.ID == found[0].ID })
	return found[0], nil
}

func (w *Waiting) forget(now time.Time) {
	w.list = slices.DeleteFunc(w.list, func(n Newcomer) bool { return now.Sub(n.Last) > WaitingTime })
}
