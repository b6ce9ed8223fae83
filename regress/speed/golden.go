// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/espalier-nic/espalier/hwmodel/esp"
)

// goldenGoal is the least speed of the golden model, as a part of the speed of
// the standard library's AEAD.
const goldenGoal = 0.8

// GoldenSpeed compares the golden model with the bare AEAD on one size.
type GoldenSpeed struct {
	// Operation is "seal" or "open".
	Operation string `json:"operation"`
	Inner     int    `json:"inner_frame"`
	// Payload is the encrypted bytes per packet, which the speeds count.
	Payload int     `json:"payload"`
	KeyBits int     `json:"key_bits"`
	Model   float64 `json:"model_bytes_per_second"`
	AEAD    float64 `json:"aead_bytes_per_second"`
	// Ratio is the median of the rounds' ratios.
	Ratio   float64 `json:"ratio"`
	Goal    float64 `json:"goal"`
	Verdict Verdict `json:"verdict"`
}

// MeasureGolden measures sealing and opening of all sizes.
func MeasureGolden(ctx context.Context, quick bool) ([]GoldenSpeed, error) {
	rounds, span := 15, 8*time.Millisecond
	if quick {
		rounds, span = 5, 2*time.Millisecond
	}
	var list []GoldenSpeed
	for _, mix := range Mixes() {
		if len(mix.sizes) != 1 {
			continue
		}
		for _, measure := range []func(frameSize) (*goldenPair, error){sealPair, openPair} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			pair, err := measure(mix.sizes[0])
			if err != nil {
				return nil, err
			}
			speed, err := pair.run(mix.sizes[0], rounds, span)
			if err != nil {
				return nil, err
			}
			list = append(list, speed)
		}
	}
	return list, nil
}

// goldenPair is the same work done by the model and by the bare AEAD.
type goldenPair struct {
	operation   string
	model, aead func() error
}

const goldenKeyBytes = 16

// goldenSetup makes an SA, an AEAD with its key, and a frame sealed under it.
func goldenSetup(size frameSize) (*association, cipher.AEAD, []byte, error) {
	a, err := newAssociation(rand.New(rand.NewPCG(3, 0)), 0, true, goldenKeyBytes, 0)
	if err != nil {
		return nil, nil, nil, err
	}
	block, err := aes.NewCipher(a.spec.Key)
	if err != nil {
		return nil, nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, nil, err
	}
	frame := make([]byte, size.length())
	a.write(frame, size)
	return a, aead, frame, a.model.SealInPlace(frame, espOffset, 0)
}

// parts are nonce, AAD and payload with ICV of a sealed frame.
func parts(a *association, frame []byte) (nonce, aad, sealed []byte) {
	packet := frame[espOffset:]
	nonce = append(append(nonce, a.spec.Salt[:]...), packet[esp.HeaderLen:esp.HeaderLen+esp.IVLen]...)
	return nonce, packet[:esp.HeaderLen], packet[esp.HeaderLen+esp.IVLen:]
}

func sealPair(size frameSize) (*goldenPair, error) {
	a, aead, frame, err := goldenSetup(size)
	if err != nil {
		return nil, err
	}
	nonce, aad, sealed := parts(a, frame)
	payload := sealed[:len(sealed)-esp.ICVLen]
	return &goldenPair{
		operation: "seal",
		model:     func() error { return a.model.SealInPlace(frame, espOffset, 0) },
		aead:      func() error { aead.Seal(payload[:0], nonce, payload, aad); return nil },
	}, nil
}

func openPair(size frameSize) (*goldenPair, error) {
	a, aead, frame, err := goldenSetup(size)
	if err != nil {
		return nil, err
	}
	nonce, aad, sealed := parts(a, frame)
	dst := make([]byte, 0, len(frame))
	lookup := func(*esp.Selector) *esp.SA { return a.model }
	return &goldenPair{
		operation: "open",
		model: func() error {
			if _, v := esp.Open(dst, frame, lookup); v.Class != esp.Decrypted {
				return fmt.Errorf("the golden model finds its own frame to be %v", v.Class)
			}
			return nil
		},
		aead: func() error { _, err := aead.Open(dst, nonce, sealed, aad); return err },
	}, nil
}

// run alternates between the two, rounds times for about span each.
func (p *goldenPair) run(size frameSize, rounds int, span time.Duration) (GoldenSpeed, error) {
	s := GoldenSpeed{Operation: p.operation, Inner: int(size), Payload: size.payload(), KeyBits: 8 * goldenKeyBytes, Goal: goldenGoal}
	repeat := func(n int, work func() error) (time.Duration, error) {
		return timed(func() error {
			for range n {
				if err := work(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	const trial = 100
	took, err := repeat(trial, p.aead)
	if err != nil {
		return s, err
	}
	n := max(trial, int(span*trial/max(took, 1)))
	var models, aeads, ratios []float64
	for range rounds {
		model, err := repeat(n, p.model)
		if err != nil {
			return s, err
		}
		aead, err := repeat(n, p.aead)
		if err != nil {
			return s, err
		}
		bytes := float64(n * size.payload())
		models, aeads = append(models, bytes/model.Seconds()), append(aeads, bytes/aead.Seconds())
		ratios = append(ratios, aead.Seconds()/model.Seconds())
	}
	s.Model, s.AEAD, s.Ratio = median(models), median(aeads), median(ratios)
	s.Verdict = verdict(s.Ratio >= s.Goal)
	return s, nil
}
