package perms

import (
	"fmt"
	"strings"
)

// Rights is a set of rights. The bits travel and lie on disk: they are only ever appended to.
type Rights uint32

// The rights a room or an object can give.
const (
	Enter    Rights = 1 << iota // be an occupant of the room
	Read                        // receive its events, fetch its log, see its objects
	Say                         // talk
	Annotate                    // tag and annotate things
	Insert                      // put new objects into the room
	Write                       // change objects of others
	Delete                      // remove objects of others
	Move                        // take objects elsewhere
	Manage                      // change ACL and settings; implies every other right
	Sanction                    // remove, silence and ban people; change the subject of a locked room
)

// All is the union of all rights.
const All = Enter | Read | Say | Annotate | Insert | Write | Delete | Move | Manage | Sanction

// order of names is the order of bits.
func names() [10]string {
	return [...]string{"enter", "read", "say", "annotate", "insert", "write", "delete", "move", "manage", "sanction"}
}

// Has reports whether all of want are in r.
func (r Rights) Has(want Rights) bool { return r&want == want }

// String returns the names of the rights, comma-separated in a fixed order; "none" for the empty set.
func (r Rights) String() string {
	var out []string
	for i, n := range names() {
		if r&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ",")
}

// ParseRights reads names separated by commas or spaces; "all" is every right. An unknown name is an error that lists the known ones.
func ParseRights(s string) (Rights, error) {
	var r Rights
	all := names()
next:
	for _, f := range strings.FieldsFunc(strings.ToLower(s), func(c rune) bool { return c == ',' || c == ' ' }) {
		if f == "all" {
			r |= All
			continue
		}
		for i, n := range all {
			if f == n {
				r |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("unknown right %q: use %s or all", f, strings.Join(all[:], ", "))
	}
	return r, nil
}
