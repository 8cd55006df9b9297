package config

import "strings"

// suggest returns the key that was probably meant by name in the section parent, or "". A key of the same name in another
// section counts, and so does a slip of one or two letters.
func suggest(all []entry, parent, name string) string {
	name = strings.ReplaceAll(strings.ToLower(clip(name)), "-", "_")
	best, least := "", len(name)/3+1
	for _, e := range all {
		if e.parent != parent {
			continue
		}
		if d := distance(name, e.name); d < least || d == 0 {
			best, least = e.path, d
		}
	}
	if best != "" {
		return best
	}
	for _, e := range all {
		if e.name == name && e.parent != "" {
			return e.path
		}
	}
	return ""
}

// distance is the number of bytes to insert, delete, replace or swap with the next one to turn a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
