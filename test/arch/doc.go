// Package arch holds no code of the program: its tests check that the house stands as it is drawn.
//
// The rule: a top-level folder imports only folders to its left (perms, rooms, search, then node and bridge, which do not know each other, then
// cmd), some libraries are imported in one place only, and the pure packages know no clock, network, disk or goroutine and keep no state of
// their own. The rule itself is in rule.go, as tables; what is checked is the source as it lies there, parsed and not built, so it takes a
// moment and needs no module cache.
//
// Tests and what lies under test/ may import anything.
package arch
