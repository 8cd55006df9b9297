// Package names maps the names of one protocol to those of the other, and says which names there are.
//
//	IRC                 room or account          XMPP
//	#physics.lab1       the same                 physics.lab1@rooms.DOMAIN
//	#a/b                the same                 a\2fb@rooms.DOMAIN          (XEP-0106)
//	#~alice             alice's inventory        ~alice@rooms.DOMAIN
//	alice               alice (account)          alice@DOMAIN
//	Ann_Lee             a guest's nick           rooms.DOMAIN/Ann Lee
//	ann~attic           guest ann of node attic  .../ann~attic
//
// One name serves both protocols: an account name is a PRECIS user name (RFC 8265 §3.3) and a legal nick as well; a room
// name is a legal channel name whose parts are PRECIS user names. Names compare without case: the network says
// CASEMAPPING=ascii, and of letters beyond ASCII too only one case is ever given out.
//
// Besides names there is the text that both protocols share: formatting codes, CTCP ACTION and /me, and ban masks.
//
// Reading order: limits.go, nick.go, account.go, channel.go, jid.go, text.go, mask.go. The package is pure and holds no
// state: whether a name is taken is the caller's to know.
package names
