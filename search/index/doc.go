// Package index is the local inverted index behind `!find`: what this node knows of tagged things, by tag.
//
// It holds [query.Item] values, finds those that match a [query.Expr], and counts tags. It is rebuilt from the rooms'
// states when a node starts and kept up to date by who applies events; it decides nothing about rights: the caller says
// by [Index.FindFunc] what the asker may read. It is as large as what is put in; the rooms' own limits on objects and tags bound that.
//
// The package is pure: no clock, no network, no disk, no goroutine, no map order in output.
package index
