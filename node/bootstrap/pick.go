package bootstrap

import (
	"errors"
	"fmt"
	"strings"

	"warren/rooms"
)

// Nearby is a network that was found on the local network. Its name and id are what its nodes say.
type Nearby struct {
	Name  string
	ID    [32]byte
	Addrs []string // of its nodes, with peer id
}

// What Pick can find wrong, for errors.Is.
var (
	ErrNoneFound = errors.New("no network was found nearby: are the other nodes on the same local network? An invitation link works from everywhere")
	ErrAmbiguous = errors.New("several networks nearby have this name: give the first characters of the id instead")
)

// Pick returns the network meant by what: its name (case matters not) or the first characters, at least 4, of
// its id as rooms.Hash writes it.
func Pick(found []Nearby, what string) (Nearby, error) {
	var hits []Nearby
	for _, n := range found {
		if strings.EqualFold(n.Name, what) || len(what) >= 4 && strings.HasPrefix(rooms.Hash(n.ID).String(), strings.ToLower(what)) {
			hits = append(hits, n)
		}
	}
	switch {
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) > 1:
		return Nearby{}, fmt.Errorf("join %q: %w", what, ErrAmbiguous)
	case len(found) == 0:
		return Nearby{}, fmt.Errorf("join %q: %w", what, ErrNoneFound)
	}
	names := make([]string, 0, len(found))
	for _, n := range found {
		names = append(names, fmt.Sprintf("%s (%s)", n.Name, rooms.Hash(n.ID).Short()))
	}
	return Nearby{}, fmt.Errorf("join %q: no such network nearby; found: %s", what, strings.Join(names, ", "))
}
