package perms

import "unicode/utf8"

// MatchMask reports whether s fits the mask: '*' stands for any run of characters, '?' for one, ASCII case is ignored.
// It takes at most len(mask)·len(s) steps and no memory, so a list full of hostile masks costs little.
func MatchMask(mask, s string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		c, size := utf8.DecodeRuneInString(s[j:])
		m, msize := rune(0), 0
		if i < len(mask) {
			m, msize = utf8.DecodeRuneInString(mask[i:])
		}
		switch {
		case msize > 0 && m == '*':
			star, mark = i, j
			i++
		case msize > 0 && (m == '?' || lower(m) == lower(c)):
			i, j = i+msize, j+size
		case star >= 0:
			_, size = utf8.DecodeRuneInString(s[mark:])
			mark += size
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(mask) && mask[i] == '*' {
		i++
	}
	return i == len(mask)
}

func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}
