package query

const (
	// MaxInput is the longest query in bytes, as typed and as [Expr.String] writes it. One IRC line holds 512 bytes; an
	// XMPP client or another node may send more, and 1 KiB is several times what anyone types.
	MaxInput = 1024
	// MaxTerms is the most terms of one query. Each match costs at most this many comparisons with the item's fields.
	MaxTerms = 64
	// MaxNesting is the deepest nesting of parentheses and negations, so that no query can exhaust a stack.
	MaxNesting = 32
	// MaxTag is the longest tag in bytes after folding: it must fit several times into one announcement and one IRC line.
	MaxTag = 64
	// maxRawTag bounds the work of folding before the length of the result is known.
	maxRawTag = 1024
	// maxShown is how many characters of the input an error repeats.
	maxShown = 24
)
