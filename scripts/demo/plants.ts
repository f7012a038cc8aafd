// The data of the demo API.

/** A plant of the catalogue, as the API answers it. */
export interface Plant {
  readonly id: number
  readonly name: string
  readonly species: string
  readonly family: string
  readonly light: string
}

/** All plants of the catalogue, by id. */
export const plants: readonly Plant[] = [
  {
    id: 1,
    name: 'Maidenhair fern',
    species: 'Adiantum capillus-veneris',
    family: 'Pteridaceae',
    light: 'shade',
  },
  {
    id: 2,
    name: 'Hart’s-tongue fern',
    species: 'Asplenium scolopendrium',
    family: 'Aspleniaceae',
    light: 'shade',
  },
  { id: 3, name: 'Royal fern', species: 'Osmunda regalis', family: 'Osmundaceae', light: 'half shade' },
  { id: 4, name: 'Lady fern', species: 'Athyrium filix-femina', family: 'Athyriaceae', light: 'half shade' },
  {
    id: 5,
    name: 'Staghorn fern',
    species: 'Platycerium bifurcatum',
    family: 'Polypodiaceae',
    light: 'bright',
  },
  {
    id: 6,
    name: 'Ostrich fern',
    species: 'Matteuccia struthiopteris',
    family: 'Onocleaceae',
    light: 'half shade',
  },
  { id: 7, name: 'Silver fern', species: 'Alsophila dealbata', family: 'Cyatheaceae', light: 'half shade' },
  { id: 8, name: 'Bird’s-nest fern', species: 'Asplenium nidus', family: 'Aspleniaceae', light: 'bright' },
]
