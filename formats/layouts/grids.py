"""The grids of ggml's IQ1, IQ2 and IQ3: sets of short runs of weights, so that an index names a run.

A run is a number whose digits are the codes of its weights, the first weight's the lowest: eight digits of base 3 in
IQ1 and IQ2, four of base 8 in IQ3. A set lists its numbers in ascending order, so a bit for each possible number tells
all: those bits are what stands here, compressed. Which runs are members is ggml's choice, made by counting in models;
no formula gives it. The levels that codes stand for are each format's.

For block decoders a run is one integer, three bits a weight (in IQ3 four), so that one look-up serves the whole run:
the code in the low bits, and above it a flag, for the sign of the weight or for the shift of IQ1.
"""

import zlib
from base64 import b85decode

import numpy as np

from fourcc import Array

EIGHTS = np.arange(0, 24, 3)  # where the eight weights of a run of IQ1 and IQ2 are in its integer
FOURS = np.arange(0, 16, 4)  # where the four of IQ3 are


def members(text: str, base: int, digits: int) -> Array:
    """The runs of a set in their order: codes, uint8 (runs, digits)."""
    bits = np.unpackbits(np.frombuffer(zlib.decompress(b85decode(text)), np.uint8), bitorder="little")
    codes: Array = (np.flatnonzero(bits)[:, None] // base ** np.arange(digits) % base).astype(np.uint8)
    return codes


def eights(text: str) -> Array:
    """Runs of eight codes 0 .. 2 as integers, int32 (runs,)."""
    return _joined(members(text, 3, 8), EIGHTS)


def fours(text: str) -> Array:
    """Runs of four codes 0 .. 7 as integers, int32 (runs,)."""
    return _joined(members(text, 8, 4), FOURS)


def _joined(codes: Array, places: Array) -> Array:
    words: Array = (codes.astype(np.int32) << places).sum(axis=1).astype(np.int32)
    return words


def _bits(values: Array, count: int) -> Array:
    """The lowest bits of each value, (values, count)."""
    bits: Array = values[:, None] >> np.arange(count) & 1
    return bits


# Eight signs in seven bits: the number of minus signs is even, which tells the last one.
_SEVEN = np.arange(128)
EVEN = _SEVEN | _bits(_SEVEN, 7).sum(axis=1) % 2 << 7  # int64 (128,)
# A byte of flags, bit j that of weight j, as they lie above the codes of a run of eight; and a nibble for one of four.
EIGHT_FLAGS = _joined(4 * _bits(np.arange(256), 8), EIGHTS)
FOUR_FLAGS = _joined(8 * _bits(np.arange(16), 4), FOURS)
EVEN_FLAGS = EIGHT_FLAGS[EVEN]

_IQ2Y = (
    "c-nPRORB^$43oj#tB`je2YP^R=KfcCw)5@K5e=lV<VbEmf91ogR%p3E0BR^O#16P=^@J3)+t0mx___f>P^zDolEn6;is&dxI!#Zg_{KuzkVd4Mw`"
    "?l*l~*(z5~c8Qj-!-YZym34v`$TQ4<4*~)dpL;rq|+W4irx`d$&)6^vGb7UkLBrzcFbHqcf>sMFwRxr;MTG;*}m%Qlby-@@TSk)X7om@@#uKQIjU"
    "UWQ&$2&y}*gX5TV=Bc|Cuh1wL(2Kn3A3Yj<N%;gblzhT7_jxp@MF=lA5st5R^Hl2J=^JV`E{Z0D^#$6R7"
)

_IQ2X = (
    "c-mc2TdsvL2pkgnkBRPwCicH3cK=&BJX-bM<{ZTW!^|+oxJIi-qkD|rsuaR~iB<*?x~C4>8J0pJW<V>X*vo#SY&(-c)w(<-fCU6QVt|)*=>oJ=N8"
    "h~B3mmYKBw*Y)Ca<s*uvOak7T*la5<g=kAh?T96(5+bR(Mt@J=L5^n!u1sF+~=p=RjVCGbM+vDH*59tF!>kC`)-u3GzO}jM8X_r-*1ytubG*&a^i"
    "qGs?p-do}D8x2NWXU?%O)=7t88q040RdJ=Ak)9T+$YBcFD31^6BC_W+mG1}iEA-T}Oj@u6-pQ1yByIl9%`W3mW#F%j~<yh(N0zSL~oH^Zy%}}tQx"
    "4=M73#xoc?jNErTmD?iDs40;(&MG>YYMNuDE=SK;cc#9vM%q_=>7msuqjC"
)

_IQ2S = (
    "c-n1JU5W-F3~NE(E9iYHjPDBe{#V(wI=kPpE5rQ7#3X8F%Z9aF@G^(h-0EI3Em0|W3^QwctZ7zp0a8G#rYWS&oF&YfEj@sgh^u5FBBgC>LAkBEEt"
    "arKv-X}c)kMD5E9g)N*35uFS6j&;COQ!QC2=T0oAzp}=fs8f?3xctXeG?g^dQAA!2(KVP=j1x!<Qgx@l7F)Pu!TMd$m>{ZzEray(N$AzRb24)#*U"
    "9zYZZF^+2!@EVQ9?ARiEH!J<ErE8usn4?()-BQhW*1pE<<S|Z6aT82aQO}QP4+el6zUY~*z7~Sl6pK?p!Q_DMIhH4w7?joIO9P^#Dw9CRS7mu8OB"
    "C|vDii4FoWN_zK9m?6y$}qXC*pyH_2f!)+bXep&HXz~CYasM7Fd3(JhmM~KIbkHJ7yU4;E692~{FNElHOf~Fzm+TBn!W(JyjC6"
)

_IQ1 = (
    "c-k#eK}(!R7=CxE;dM-9V?RN1diSfb(^(PgE$L;EU0C#DLh=VZ*|bQ>IZZw%yXlwN6ha`hG?#HO$v6$G@ldv(umMk2dT8mb2WdTox*h^v8VtnDuD"
    "#8?@Vw9Syw7v(LR2?w<}y}3b9YJG^C&5*&qs>Nl?x;NhAB!%0hRecnsm$a2YwJ@;QqccSPG~@n#@N5uBY$^gNY22s7}?HYgoxmY#Y+!Ajh1yxWA4"
    "l1OzVO1-XRyWBes^wA;LAoBq<x!%nuPhFWp9`{&R@7DG%<XIwD^Is3Q$Jf@<B<<hd(0^?jzIHG8vQn*?-$Ub(LsHW&@kYNcQ%|}dP%c;av8KJU^m"
    "WiJv*28-WD<$YEG%#}+D!ES;XeDuFD(VlG#i@A4$V;H%7rH52w&LB_pg1xSvl=L<CZ@9?{WdkSxbxSuMq|l64F4MqT|O(RS}O@H(bLXvHn!_Ontv"
    "Sw2GXTKiD_6XGLxujp0!)qyF+V=7Bv?g3oFy??D1-6?{(2le%HQrc>Le(m#@Cb_P%)g$;r#{<KcsUbe#9?p_<1{H>jE?+1SCIq;Fwj@yPMjA_U90"
    "?}vdY$)D1%>fQq-z{36HBT$I&mG*v%J#A~V%aSj@pZtCEAg}V1eou`2@uUxU_YQ=)6;l3U7EjmAKr#y2F0kdO91c}@u6ikZ68>90+)KINV7E3oVy"
    "0wcNC7Qg*Gnz$6Ckekcj5w;yQl$8BcV}uIeIA*;9XR~L2uzcrHYS+2)y-rqrtcg6e{stpn$cM#il(dTBx(R&0u-;P1DmAvG}u@dX;b%ns9v~6p49"
    "X^c}lqEMlIFjzJBbrp$X4T{{D_p5YV7e^~xM<^E7<_56qcAaL=FI+lT|4v2#Y&dpW2-Egd@Fdf5G@Dheeu*|v(bMFD;1sQ1"
)

_IQ3Y = (
    "c-l=-F%H5o3_M%0RAmZ7_lgPeigaLyA4Q!IuVCbv_?)J2Rn;aw-<^~BWtxCXwzFx0%xW)eST<YW5KL&L;j#hAAHoX-c)&}FY<X@1m|7IGsjrX>q7"
    "@bAuHrcP3L2_`6x)_>^v5;&o?@Fdagv_Uo9H*utGOGEJ93R6P|L2rgx{U}Y-UnrS3sKYtPIbF!WdDS7|dsT<9UQCqzhJe8+4kK5km%XvHjm=J(sM"
    "gqk-e3v^zjTJayVggoDWMJzTWE4a0T)3l-9P!ydlNePrBA?Xny*@kmBo4W|8$?wEo20v5Uy_5"
)

_IQ3S = (
    "c-k#d!AiqG5PdVu!e&pqA>uXNMyUCUt<-~hDT4SrX{pfmmf{D9Rs{Q#&TgE;z`Qr}-rMBob#A|%IbF{W(Id*&Lkwq!%0~0(%@Ao{OU0lD_x2OXCI"
    "^OquXIKLt}o^pYnG?L6&oz+9HeSVPSrN(A}t!YmF^Xmp*3Qy-5G8(e|b5Y-VC?q(AA>+32wuC)HmEXp@c1}PT|h83}iuXSwt^ePGkv?U+Lf3a_=1"
    "ov?9@{igP&9v4ypFswx3&TJZ@M2_=SuX>*z&qp%+CoXl)ge8!drA@5Agyn!FG+()?*sDei}n1QT95(J|p-wR7#Aht{0!Hx!aZfy;cl!bD4D3uqR("
    "zW`GY5;6>@R{_|3X$jRqNR^eu)^e<Ll^vCYlKPU1;QQ+o$IB(hKom+bHx0SXmXXwyZnVo8~6jd#wQ>"
)

IQ2Y_RUNS, IQ2X_RUNS, IQ2S_RUNS, IQ1_RUNS = map(eights, (_IQ2Y, _IQ2X, _IQ2S, _IQ1))
IQ3Y_RUNS, IQ3S_RUNS = map(fours, (_IQ3Y, _IQ3S))
IQ2_LEVELS = np.array(
    [8, 25, 43, 43, -8, -25, -43, -43], np.float32
)  # by code, and 4 more where the weight is negative
IQ1_LEVELS = np.array([-7, 1, 9, 9, -9, -1, 7, 7], np.float32) / 8  # by code; 4 more where the shift is negative
