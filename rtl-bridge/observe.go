// SPDX-License-Identifier: Apache-2.0

package rtlbridge

// Trace starts recording waveforms to path; "" ends the recording.
func (f *Function) Trace(path string) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	return f.sim.Trace(path)
}

// Coverage writes the coverage collected so far to path.
func (f *Function) Coverage(path string) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.mu.Unlock()
	return f.sim.Coverage(path)
}

// Peek reads word index of the memory called name past every register: see
// espalier_sim_peek. It returns the number of bytes.
func (f *Function) Peek(name string, index uint64, out []byte) (int, error) {
	if err := f.lock(); err != nil {
		return 0, err
	}
	defer f.mu.Unlock()
	return f.sim.Peek(name, index, out)
}
