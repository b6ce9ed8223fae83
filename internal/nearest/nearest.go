// SPDX-License-Identifier: Apache-2.0

// Package nearest finds what a user probably meant to type.
package nearest

import "math"

// Name returns the candidate with the smallest edit distance from name, the
// first of equals; "" if there are no candidates.
func Name(name string, candidates []string) string {
	return Within(name, candidates, math.MaxInt)
}

// Within returns what Name does among the candidates whose edit distance from
// name is at most limit; "" if there is none.
func Within(name string, candidates []string, limit int) string {
	best, bestDistance := "", -1
	for _, c := range candidates {
		// So many bytes must come or go, which is cheaper to know than the distance.
		if len(c)-len(name) > limit || len(name)-len(c) > limit {
			continue
		}
		if d := distance(name, c); d <= limit && (bestDistance < 0 || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
