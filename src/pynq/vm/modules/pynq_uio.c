// SPDX-License-Identifier: GPL-2.0
/*
 * Userspace I/O for device-tree nodes that are "generic-uio", with their interrupt.
 *
 * Behaves as the kernel's uio_pdrv_genirq, which Debian's kernels don't have: every "reg" entry is a
 * map (of whole pages, with the offset of its first byte), the device has the node's name, the interrupt
 * is masked when it fires, and a program unmasks it with write(1) and masks it with write(0).
 */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/mm.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/uio_driver.h>

struct pynq_uio {
	struct uio_info info;
	spinlock_t lock; /* of masked */
	bool masked;
};

#define PORT_SETTLED 0x20
#define PORT_POLL_US 20
#define PORT_TIMEOUT_US 100000

static void __iomem *pynq_uio_port; /* of the virtual board; NULL elsewhere */

/*
 * A virtual board's interrupt controller hears of levels some time after the registers have changed. A line
 * that was cleared and is unmasked at once would fire again, so wait until the levels are those of now.
 */
static void pynq_uio_settle(void)
{
	u32 settled;

	if (pynq_uio_port)
		readl_poll_timeout(pynq_uio_port + PORT_SETTLED, settled, settled & 1, PORT_POLL_US, PORT_TIMEOUT_US);
}

static irqreturn_t pynq_uio_interrupt(int irq, struct uio_info *info)
{
	struct pynq_uio *uio = info->priv;

	spin_lock(&uio->lock);
	if (!uio->masked) {
		uio->masked = true;
		disable_irq_nosync(irq);
	}
	spin_unlock(&uio->lock);
	return IRQ_HANDLED;
}

static int pynq_uio_control(struct uio_info *info, s32 on)
{
	struct pynq_uio *uio = info->priv;
	unsigned long flags;

	if (on)
		pynq_uio_settle();
	/* Masking is counted by the kernel, so it may happen only once for each time it is undone. */
	spin_lock_irqsave(&uio->lock, flags);
	if (on && uio->masked) {
		uio->masked = false;
		enable_irq(info->irq);
	} else if (!on && !uio->masked) {
		uio->masked = true;
		disable_irq_nosync(info->irq);
	}
	spin_unlock_irqrestore(&uio->lock, flags);
	return 0;
}

static void pynq_uio_maps(struct platform_device *pdev, struct uio_info *info)
{
	unsigned int count = 0;
	unsigned int i;

	for (i = 0; i < pdev->num_resources; i++) {
		struct resource *res = &pdev->resource[i];
		struct uio_mem *map = &info->mem[count];

		if (resource_type(res) != IORESOURCE_MEM)
			continue;
		if (count == MAX_UIO_MAPS) {
			dev_warn(&pdev->dev, "only %d of its reg entries are maps\n", MAX_UIO_MAPS);
			break;
		}
		map->name = res->name;
		map->memtype = UIO_MEM_PHYS;
		map->addr = res->start & PAGE_MASK;
		map->offs = res->start & ~PAGE_MASK;
		map->size = PAGE_ALIGN(map->offs + resource_size(res));
		count++;
	}
}

static int pynq_uio_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct pynq_uio *uio;
	int ret;

	uio = devm_kzalloc(dev, sizeof(*uio), GFP_KERNEL);
	if (!uio)
		return -ENOMEM;
	spin_lock_init(&uio->lock);
	uio->info.priv = uio;
	uio->info.version = "devicetree";
	uio->info.name = devm_kasprintf(dev, GFP_KERNEL, "%pOFn", dev->of_node);
	if (!uio->info.name)
		return -ENOMEM;

	pynq_uio_maps(pdev, &uio->info);
	ret = platform_get_irq_optional(pdev, 0);
	if (ret == -ENXIO) {
		uio->info.irq = UIO_IRQ_NONE;
	} else if (ret < 0) {
		return dev_err_probe(dev, ret, "its interrupt can't be had\n");
	} else {
		uio->info.irq = ret;
		uio->info.handler = pynq_uio_interrupt;
		uio->info.irqcontrol = pynq_uio_control;
		/*
		 * A level is still there when the handler has returned: without this the kernel would mask
		 * the line only at the second interrupt.
		 */
		if (irqd_is_level_type(irq_get_irq_data(ret)))
			irq_set_status_flags(ret, IRQ_DISABLE_UNLAZY);
	}

	ret = devm_uio_register_device(dev, &uio->info);
	if (ret)
		return dev_err_probe(dev, ret, "no userspace I/O device\n");
	return 0;
}

static const struct of_device_id pynq_uio_match[] = {
	{ .compatible = "generic-uio" },
	{}
};
MODULE_DEVICE_TABLE(of, pynq_uio_match);

static struct platform_driver pynq_uio_driver = {
	.probe = pynq_uio_probe,
	.driver = {
		.name = "pynq_uio",
		.of_match_table = pynq_uio_match,
	},
};

static int __init pynq_uio_init(void)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "pynq,virtual-fpga-manager");
	int ret;

	if (node) {
		pynq_uio_port = of_iomap(node, 0);
		of_node_put(node);
	}
	ret = platform_driver_register(&pynq_uio_driver);
	if (ret && pynq_uio_port)
		iounmap(pynq_uio_port);
	return ret;
}
module_init(pynq_uio_init);

static void __exit pynq_uio_exit(void)
{
	platform_driver_unregister(&pynq_uio_driver);
	if (pynq_uio_port)
		iounmap(pynq_uio_port);
}
module_exit(pynq_uio_exit);

MODULE_DESCRIPTION("Userspace I/O for generic-uio nodes");
MODULE_LICENSE("GPL");
