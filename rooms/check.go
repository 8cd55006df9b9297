package rooms

import (
	"errors"
	"fmt"
	"slices"
)

// Errors of check: what a snapshot may not say, whoever wrote it.
var (
	errTable       = errors.New("a table is missing")
	errControllers = errors.New("the controllers are none, or not sorted")
)

func (b *Base) check() error {
	switch {
	case b.Counters == nil:
		return errTable
	case len(b.Controllers) == 0 || !sortedNodes(b.Controllers):
		return errControllers
	}
	return nil
}

// check returns what is wrong with a room: it holds after every decision, and a snapshot of which it does not hold is refused.
func (s *State) check() error {
	if s.Invited == nil || s.Occupants == nil || s.Objects == nil || s.Gone == nil {
		return errTable
	}
	if err := s.B.check(); err != nil {
		return err
	}
	if (len(s.Occupants) > 0) != (s.EmptySince == 0) {
		return fmt.Errorf("%d occupants, but empty since %d", len(s.Occupants), s.EmptySince)
	}
	for _, fold := range s.Nicks() {
		o := s.Occupants[fold]
		if fold != Fold(o.Nick) || len(o.Nodes) == 0 || !sortedNodes(o.Nodes) || o.Account == "" && len(o.Nodes) != 1 {
			return fmt.Errorf("occupant %.80q does not fit", fold)
		}
	}
	names, bytes := map[[2]string]bool{}, 0
	for _, id := range sortedKeys(s.Objects) {
		o := s.Objects[id]
		name := [2]string{string(o.Kind), Fold(o.Name)}
		if id != o.ID || id == "" || names[name] || !slices.IsSorted(o.Tags) {
			return fmt.Errorf("object %.80q does not fit", id)
		}
		names[name] = true
		bytes += len(o.Text)
	}
	if bytes != s.Bytes {
		return fmt.Errorf("%d bytes of documents, but %d counted", bytes, s.Bytes)
	}
	return nil
}

// check returns what is wrong with a directory's tables.
func (d *Directory) check() error {
	if d.Accounts == nil || d.Nodes == nil || d.Rooms == nil || d.Invites == nil || d.Made == nil {
		return errTable
	}
	if err := d.B.check(); err != nil {
		return err
	}
	for name, a := range d.Accounts {
		if name != a.Name {
			return errors.New("an account lies under another name")
		}
	}
	for id, n := range d.Nodes {
		if id != n.ID {
			return errors.New("a node lies under another id")
		}
	}
	names := make(map[string]bool, len(d.Rooms))
	for id, r := range d.Rooms {
		fold := Fold(r.Name)
		if id != r.ID || names[fold] || len(r.Now) == 0 {
			return errors.New("a room lies under another id, or twice under one name, or has no controllers")
		}
		names[fold] = true
	}
	return nil
}
