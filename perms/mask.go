package perms

// MatchMask reports whether s fits the mask: '*' stands for any run of characters, '?' for one, ASCII case is ignored.
// It takes at most len(mask)·len(s) steps, so a hostile mask costs little.
func MatchMask(mask, s string) bool {
	m, t := []rune(mask), []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(m) && m[i] == '*':
			star, mark = i, j
			i++
		case i < len(m) && (m[i] == '?' || lower(m[i]) == lower(t[j])):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(m) && m[i] == '*' {
		i++
	}
	return i == len(m)
}

func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}
