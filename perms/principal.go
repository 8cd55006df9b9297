package perms

import "strings"

// Principal names someone (or a set of people) a right can be given to:
//
//	alice            the account alice (canonical form of its name)
//	@wizards         the group wizards
//	~bob~k3jx…       the guest bob of a node (node in text form)
//	%k3jx…           a node acting by itself
//	+                everyone who has an account
//	*                everyone
type Principal string

const (
	// Everyone stands for all people, guests included.
	Everyone Principal = "*"
	// Registered stands for all people with an account.
	Registered Principal = "+"
)

// Account returns the principal of an account.
func Account(name string) Principal { return Principal(name) }

// Guest returns the principal of a guest: no account, vouched for by the node whose text form is given.
func Guest(nick, node string) Principal { return Principal("~" + nick + "~" + node) }

// Node returns the principal of a node that acts by itself.
func Node(node string) Principal { return Principal("%" + node) }

// IsAccount reports whether p names one account.
func (p Principal) IsAccount() bool { return p != "" && !strings.ContainsAny(string(p[:1]), "@~%+*") }

// IsGroup reports whether p names a group.
func (p Principal) IsGroup() bool { return len(p) > 1 && p[0] == '@' }

// IsGuest reports whether p names a guest.
func (p Principal) IsGuest() bool { return len(p) > 1 && p[0] == '~' }

// IsNode reports whether p names a node.
func (p Principal) IsNode() bool { return len(p) > 1 && p[0] == '%' }

// Display returns p as people read it: a guest without its node's key.
func (p Principal) Display() string {
	if p.IsGuest() {
		if i := strings.LastIndexByte(string(p), '~'); i > 0 { // a node's text has no '~', a nick may
			return string(p[1:i])
		}
		return string(p[1:])
	}
	return string(p)
}
