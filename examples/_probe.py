import time, struct
t=time.time()
from pynq.backends.linux.kernel import Kernel
from pynq.backends.linux.board import Board
from pynq.backends.linux.registers import Registers
from pynq.backends.linux.uio import scan
from pynq.backends.linux import buffers
print("imports", time.time()-t)
k=Kernel(); b=Board(k); print(b, b.processor, hex(b.to_cpu(0xa0000000)), hex(b.to_bus(0x40000000)))
for u in scan(k,b): print(u)
r=Registers(k,b); w=r.map(0xa0000000,0x10000)
print("DMACR", hex(w.read(0)), "DMASR", hex(w.read(4)))
n=2000; t=time.time()
for i in range(n): w.read(4)
print("read us", (time.time()-t)/n*1e6)
m=buffers.Memory(k,b); print(m.describe())
blk=m.allocate(8192, cacheable=True, target=None); print(blk, hex(blk.address))
a=memoryview(blk).cast("B"); print(len(a))
