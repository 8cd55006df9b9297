// Package query is the grammar of `!find EXPR`: which tags, kinds, owners, rooms and names a person looks for.
//
//	physics                        things tagged physics
//	physics experiment             both tags (the same as physics AND experiment)
//	physics OR chemistry           one of them
//	physics -draft                 the same as physics AND NOT draft
//	(physics OR chemistry) kind:document owner:alice
//	"ground floor" room:#physics*  a tag with a space in it, in #physics and the rooms below it
//
// The grammar; operators are read in any case, & and && are read as AND, | and || as OR, AND binds closer than OR:
//
//	expr   = and { "OR" and }
//	and    = unary { [ "AND" ] unary }
//	unary  = ( "NOT" | "-" ) unary | "(" expr ")" | term
//	term   = [ field ":" ] value
//	field  = "tag" | "kind" | "owner" | "room" | "name"        (none = tag)
//	value  = word | quoted                                      (\" and \\ inside quotes)
//
// Values of owner, room and name may hold `*` for any run of characters. A tag may not, since a tag is asked for on the
// tag topic that its hash names; in quotes a star is an ordinary character of a tag.
//
// Reading order: [Parse], [Expr] with Match, String and Positive, [Item], [FoldTag], [SyntaxError].
//
// The package is pure: no clock, no network, no disk, no goroutine, no map order in output. It knows nothing of topics,
// rights or storage; an [Expr] travels between nodes as its [Expr.String].
package query
