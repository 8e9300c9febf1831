import { expect, test } from "vitest";
import { matchesGpu, toGpuName } from "./gpu-names.ts";

test.each([
  ["Tesla T4", "T4"],
  ["NVIDIA T4G", "T4G"],
  ["Tesla K80", "K80"],
  ["Tesla V100-SXM2-16GB", "V100-16GB"],
  ["Tesla V100-PCIE-32GB", "V100-32GB"],
  ["Tesla P100-PCIE-16GB", "P100-16GB"],
  ["Tesla P4", "P4"],
  ["NVIDIA A100-SXM4-80GB", "A100-80GB"],
  ["NVIDIA A100-SXM4-40GB", "A100-40GB"],
  ["NVIDIA A100 80GB PCIe", "A100-80GB"],
  ["A100-PCIE-40GB", "A100-40GB"],
  ["NVIDIA A10G", "A10G"],
  ["NVIDIA A10", "A10"],
  ["NVIDIA A2", "A2"],
  ["NVIDIA A40", "A40"],
  ["NVIDIA L4", "L4"],
  ["NVIDIA L40S", "L40S"],
  ["NVIDIA H100 PCIe", "H100"],
  ["NVIDIA H100 80GB HBM3", "H100"],
  ["NVIDIA H100 NVL", "H100"],
  ["NVIDIA H200", "H200"],
  ["NVIDIA B200", "B200"],
  ["NVIDIA GH200 480GB", "GH200"],
  ["NVIDIA GB200", "GB200"],
  ["NVIDIA GB10", "GB10"],
  ["NVIDIA RTX A6000", "A6000"],
  ["NVIDIA RTX 6000 Ada Generation", "RTX6000-Ada"],
  ["Quadro RTX 6000", "RTX6000"],
  ["NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000"],
  ["NVIDIA GeForce RTX 4090", "RTX4090"],
  ["NVIDIA GeForce RTX 3090 Ti", "RTX3090-Ti"],
  ["NVIDIA GeForce RTX 4070 Ti SUPER", "RTX4070-Ti-SUPER"],
  ["NVIDIA GeForce GTX 1080 Ti", "GTX1080-Ti"],
  ["NVIDIA GeForce RTX 4090 Laptop GPU", "RTX4090-Laptop"],
  ["NVIDIA TITAN RTX", "NVIDIA TITAN RTX"],
  ["Some Other Thing", "Some Other Thing"],
])("%s is asked for as %s", (product, name) => {
  expect(toGpuName(product)).toBe(name);
  // What is a name already stays one.
  expect(toGpuName(name)).toBe(name);
});

test.each([
  ["T4", "T4", true],
  ["t4", "T4", true],
  ["Tesla T4", "T4", true],
  ["any", "T4", true],
  ["A100", "A100-80GB", true],
  ["a100-80gb", "A100-80GB", true],
  ["A100-80", "A100-80GB", true],
  ["NVIDIA A100-SXM4-80GB", "A100-80GB", true],
  ["A100-40GB", "A100-80GB", false],
  ["A10", "A100-80GB", false],
  ["A10", "A10G", false],
  ["RTX6000", "RTX6000-Ada", false],
  ["RTX4090", "RTX4090-Laptop", false],
  ["nvidia titan rtx", "NVIDIA TITAN RTX", true],
  ["", "T4", false],
])("a request for %j and a %s: %s", (requested, name, matches) => {
  expect(matchesGpu(requested, name)).toBe(matches);
});
