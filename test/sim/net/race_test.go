//go:build race

package net

const raceDetector = true
