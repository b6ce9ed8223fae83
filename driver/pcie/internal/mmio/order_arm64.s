// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func beforeStore()
TEXT ·beforeStore(SB), NOSPLIT, $0-0
	DMB $2 // OSHST
	RET

// func afterLoad()
TEXT ·afterLoad(SB), NOSPLIT, $0-0
	DMB $1 // OSHLD
	RET
